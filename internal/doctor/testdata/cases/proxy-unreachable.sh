# how: the proxy of the environment is not there
# code: proxy_unreachable
echo "HTTPS_PROXY=http://127.0.0.1:1026" >> "$ENV"

# how: the proxy of the environment is no address
# code: proxy_invalid
echo "HTTP_PROXY=http://:3128" >> "$ENV"

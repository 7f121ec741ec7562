// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"context"
	"errors"
	"sync"

	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/proto"
)

// news is what the tray knows of the agent.
type news struct {
	conn   *rpc.Conn
	system text.Lang // the language of the environment

	status   proto.AgentStatusResult
	tokens   []proto.Token
	certs    []proto.Certificate
	journal  []proto.JournalRecord
	origins  []proto.Origin
	settings proto.SettingsGetResult

	mu    sync.Mutex
	lang  text.Lang
	stale bool // tokens and certificates may be others
}

func (n *news) tokensChanged() {
	n.mu.Lock()
	n.stale = true
	n.mu.Unlock()
}

func (n *news) language() text.Lang {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lang
}

// errLanguage ends the tray when the system's language is wanted and another was given at the start: the session then starts it
// with the right one.
var errLanguage = errors.New("the language of the system is wanted")

// fetch asks how things are. Only a status that cannot be had is an error: the rest of the menu stays as it was.
func (n *news) fetch(ctx context.Context) error {
	var status proto.AgentStatusResult
	if err := n.conn.Call(ctx, proto.MethodAgentStatus, proto.AgentStatusParams{}, &status); err != nil {
		return err
	}
	n.status = status
	was := n.settings.Language
	if n.conn.Call(ctx, proto.MethodSettingsGet, proto.SettingsGetParams{}, &n.settings) == nil {
		n.speak()
	}
	if was != "" && was != n.settings.Language && n.settings.Language == proto.LanguageSettingSystem {
		return errLanguage
	}
	var o proto.OriginsListResult
	if n.conn.Call(ctx, proto.MethodOriginsList, proto.OriginsListParams{}, &o) == nil {
		n.origins = o.Origins
	}
	var j proto.JournalListResult
	if n.conn.Call(ctx, proto.MethodJournalList, proto.JournalListParams{Limit: maxRecent, Kind: string(signing.KindSign), Result: "ok"}, &j) == nil {
		n.journal = j.Records
	}
	n.list(ctx)
	return nil
}

// list asks for tokens and certificates where they may have changed: reading them takes time.
func (n *news) list(ctx context.Context) {
	n.mu.Lock()
	stale := n.stale
	n.stale = false
	n.mu.Unlock()
	if !stale {
		return
	}
	var t proto.TokensListResult
	var c proto.CertificatesListResult
	if n.conn.Call(ctx, proto.MethodTokensList, proto.TokensListParams{}, &t) != nil ||
		n.conn.Call(ctx, proto.MethodCertificatesList, proto.CertificatesListParams{All: true}, &c) != nil {
		n.tokensChanged()
		return
	}
	n.tokens, n.certs = t.Tokens, c.Certificates
	for i := range n.certs { // the menu needs none of the bulk
		n.certs[i].DER, n.certs[i].Purposes = nil, nil
	}
}

// speak takes the language of the settings.
func (n *news) speak() {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch l := text.Lang(n.settings.Language); l {
	case text.Russian, text.English:
		n.lang = l
	default:
		n.lang = n.system
	}
}

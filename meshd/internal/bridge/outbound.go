package bridge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Peers serves [api.RoutePeer]: the services of other members for the daemons of
// this node. self is this node; transports reach each service that daemons may
// use, at the peer whose id is the host of the URL. Those of which limits says how long
// an answer may take, all of it, are bound to that.
func Peers(self api.PeerID, transports map[api.Service]http.RoundTripper, limits map[api.Service]time.Duration, log *slog.Logger) http.Handler {
	proxies := make(map[api.Service]http.Handler, len(transports))
	for s, t := range transports {
		proxies[s] = toPeer(s, t, log)
		if d, bound := limits[s]; bound {
			proxies[s] = Within(d, proxies[s])
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := api.ParsePeerID(r.PathValue("peer"))
		if err == nil && p == self {
			err = errors.New("this is the peer id of this node: ask its daemons directly")
		}
		if err != nil {
			local.WriteError(w, http.StatusBadRequest, err)
			return
		}
		s := api.Service(r.PathValue("service"))
		if proxies[s] == nil {
			local.WriteError(w, http.StatusNotFound, fmt.Errorf("service %.40q: members do not offer it", s))
			return
		}
		proxies[s].ServeHTTP(w, r)
	})
}

func toPeer(s api.Service, next http.RoundTripper, log *slog.Logger) http.Handler {
	return proxy(next, log, func(r *httputil.ProxyRequest) {
		peer := r.In.PathValue("peer")
		target(r.Out.URL, peer)
		cutPrefix(r.Out.URL, api.PathPeer(api.PeerID(peer), s, ""))
		r.Out.Header.Del(local.HeaderPeer)
	})
}

// cutPrefix takes prefix, which needs no escaping, off the path of u.
func cutPrefix(u *url.URL, prefix string) {
	u.Path = strings.TrimPrefix(u.Path, prefix)
	u.RawPath = strings.TrimPrefix(u.RawPath, prefix)
}

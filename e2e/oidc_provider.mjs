// npm's oidc-provider as somebody else's authorization server: clients register themselves, people sign in on its own pages,
// access tokens live for a second, and refresh tokens rotate.

import http from "node:http";
import Provider from "oidc-provider";

const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    cookies: { keys: ["a key of the tests"] },
    features: { registration: { enabled: true }, devInteractions: { enabled: true } },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: { AccessToken: 1, Grant: 600, IdToken: 60, Interaction: 600, RefreshToken: 600, Session: 600 },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});

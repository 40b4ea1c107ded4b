// Verifies a token with npm's jose, from its issuer's discovery document alone. Reads {"issuer", "token", "audience"} from
// standard input, and prints the claims. Runs beside the packages (node.py copies it there).

import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { issuer, token, audience } = JSON.parse(readFileSync(0, "utf8"));
const discovered = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(discovered.jwks_uri));
const { payload } = await jwtVerify(token, keys, { issuer: discovered.issuer, audience });
console.log(JSON.stringify(payload));

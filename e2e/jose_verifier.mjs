// Verifies tokens with jose, from an issuer's discovery URL and nothing else: reads [{ discovery_url, token, audience }, …] and
// prints for each its claims, or the code of the error.

import { createRemoteJWKSet, jwtVerify } from 'jose';

const answers = [];
const sets = new Map();
for (const { discovery_url, token, audience } of JSON.parse(process.argv[2])) {
  if (!sets.has(discovery_url)) {
    const document = await (await fetch(discovery_url)).json();
    sets.set(discovery_url, [document, createRemoteJWKSet(new URL(document.jwks_uri))]);
  }
  const [{ issuer, id_token_signing_alg_values_supported: algorithms }, keys] = sets.get(discovery_url);
  try {
    const required = { issuer, algorithms, requiredClaims: ['exp', 'iat', 'sub', 'jti'] };
    const { payload } = await jwtVerify(token, keys, audience ? { ...required, audience } : required);
    answers.push({ claims: payload });
  } catch (error) {
    answers.push({ error: error.code });
  }
}
console.log(JSON.stringify(answers));

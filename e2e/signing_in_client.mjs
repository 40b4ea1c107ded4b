// The same as signing_in_client.py, with the TypeScript SDK: {"client": "sdk-1"|"sdk-2", "url", "tool", "arguments"}. Runs
// beside the packages (node.py copies it there).

import { createServer } from "node:http";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const say = (words) => console.log(JSON.stringify(words));

let arrived;
const code = new Promise((resolve) => {
  arrived = resolve;
});
const callback = createServer((request, response) => {
  response.end("You can close this page.");
  const url = new URL(request.url, "http://127.0.0.1");
  // A browser asks for an icon, too.
  if (url.pathname === "/callback") arrived(url.searchParams);
});
await new Promise((resolve) => callback.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${callback.address().port}/callback`;

const kept = {};
const provider = {
  redirectUrl,
  clientMetadata: { client_name: "TypeScript client", redirect_uris: [redirectUrl] },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (url) => say({ open: url.href }),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
};

async function first() {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  return [Client, StreamableHTTPClientTransport];
}

async function second() {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  return [Client, StreamableHTTPClientTransport];
}

const [Client, Transport] = await { "sdk-1": first, "sdk-2": second }[asked.client]();
const transport = () => new Transport(new URL(asked.url), { authProvider: provider });
const client = () => new Client({ name: "portcullis-e2e", version: "1.0.0" });
const knocking = transport();
const refused = await client().connect(knocking).then(
  () => "it was let in without a sign-in",
  (error) => error.constructor.name,
);
if (refused !== "UnauthorizedError") throw new Error(refused);
const came = await code;
await knocking.finishAuth(asked.client === "sdk-1" ? came.get("code") : came);
const session = client();
await session.connect(transport());
const tools = (await session.listTools()).tools.map((tool) => tool.name);
const result = await session.callTool({ name: asked.tool, arguments: asked.arguments });
say({ tools, text: result.content[0].text, granted: kept.tokens.scope, client_id: kept.client.client_id });
await session.close();
callback.close();
callback.closeAllConnections();

// Lists the tools of an endpoint and calls one, with the TypeScript SDK: its first generation, and its second in each way
// of finding out which protocol the server speaks.
//
// Reads {"client": "sdk-1"|"sdk-2"|"sdk-2-auto", "url", "token", "tool", "arguments"} from standard input, and prints
// {"tools": [names], "text", "error": bool}, and "pages" where they are turned here: the second generation turns them
// itself. Runs beside the packages (node.py copies it there).

import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const requestInit = asked.token ? { headers: { Authorization: `Bearer ${asked.token}` } } : {};
const who = { name: "portcullis-e2e", version: "1.0.0" };

async function firstGeneration() {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  return [new Client(who), new StreamableHTTPClientTransport(new URL(asked.url), { requestInit })];
}

async function secondGeneration(mode) {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client(who, { versionNegotiation: { mode } });
  return [client, new StreamableHTTPClientTransport(new URL(asked.url), { requestInit })];
}

const makers = {
  "sdk-1": firstGeneration,
  "sdk-2": () => secondGeneration("legacy"),
  "sdk-2-auto": () => secondGeneration("auto"),
};
const [client, transport] = await makers[asked.client]();
await client.connect(transport);
const tools = [];
let pages = 0;
let cursor;
do {
  const page = await client.listTools(cursor ? { cursor } : undefined);
  tools.push(...page.tools.map((tool) => tool.name));
  cursor = page.nextCursor;
  pages += 1;
} while (cursor);
const result = await client.callTool({ name: asked.tool, arguments: asked.arguments });
const text = result.content.find((block) => block.type === "text")?.text;
await client.close();
const turned = asked.client === "sdk-1" ? { pages } : {};
console.log(JSON.stringify({ tools, text, error: Boolean(result.isError), ...turned }));

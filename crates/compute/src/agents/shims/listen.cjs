// Gives an agent the socket that Portcullis opened for it, when it listens on the port of its contract.
//
// The server hands a socket over as standard input, bound to a free port of 127.0.0.1. An agent that listens on port 8080
// (or 8000), on whatever address, listens on that one; any other port that it opens on all addresses is opened on loopback.
"use strict";

const fs = require("node:fs");
const net = require("node:net");

const contract = Number(process.env.PORTCULLIS_AGENT_PORT);
const anywhere = new Set([undefined, null, "", "0.0.0.0", "::"]);

function hasSocket() {
  try {
    return fs.fstatSync(0).isSocket();
  } catch {
    return false;
  }
}

/** What was asked for, as an object; null for a pipe, a handle or anything else that is no port. */
function asked(values) {
  const [first, second] = values;
  if (typeof first === "object" && first !== null) {
    return "port" in first ? { ...first } : null;
  }
  const port = typeof first === "string" && /^\d+$/.test(first) ? Number(first) : first;
  if (typeof port !== "number") {
    return null;
  }
  return { port, host: typeof second === "string" ? second : undefined };
}

if (contract && process.env.PORTCULLIS_AGENT) {
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...values) {
    const wish = asked(values);
    if (wish === null) {
      return listen.apply(this, values);
    }
    const callbacks = values.filter((value) => typeof value === "function");
    if (Number(wish.port) === contract && hasSocket()) {
      return listen.call(this, { fd: 0 }, ...callbacks);
    }
    if (Number(wish.port) !== 0 && anywhere.has(wish.host)) {
      wish.host = "127.0.0.1";
      return listen.call(this, wish, ...callbacks);
    }
    return listen.apply(this, values);
  };
}

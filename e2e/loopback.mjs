// Loaded before a published server that listens on every address and on a port of its choice: it listens on 127.0.0.1 and
// on a free port instead, which is printed.

import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (...given) {
  const ready = given.find((argument) => typeof argument === "function");
  return listen.call(this, { host: "127.0.0.1", port: 0 }, () => {
    console.log(this.address().port);
    ready?.call(this);
  });
};

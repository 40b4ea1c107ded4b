// The runtime client of Portcullis for JavaScript functions: Node.js 18 and later, no dependencies.
//
// It loads the handler, asks the Lambda Runtime API for events, calls the handler with each, and sends back what it
// returned, called back or threw. What a handler can see (the context object, error types and texts, the format of log
// lines, when an unfinished callback counts) is as on AWS Lambda; the code is not AWS's.
//
// HTTP is spoken over a bare socket, because the client of `node:http` costs more than most handlers do. An answer
// carries the request for the next event with it ("Portcullis-Then: next", which AWS's API does not have), so that an
// invocation is one exchange and not two. While a handler works, the socket does not keep the process alive: that the
// event loop is empty is how the end of a callback-style handler is known.

import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import util from "node:util";

const API = "/2018-06-01/runtime";
// The largest answer Lambda takes: 6 MiB and 100 bytes.
const LARGEST_ANSWER = 6 * 1024 * 1024 + 100;
const LONGEST_MESSAGE = 256 * 1024;
// From this runtime on there are no callbacks: "Lambda Node.js 24 runtime now available".
const WITHOUT_CALLBACKS = 24;

const OWN_FRAME = import.meta.url;
const serialize = JSON.stringify;
const deserialize = JSON.parse;
const write = fs.writeSync;
const exitProcess = process.exit.bind(process);
const kill = process.kill.bind(process);

/** Something that Lambda's runtime, and not the handler, finds wrong. */
class Fault extends Error {
  constructor(errorType, message, trace) {
    super(message);
    this.name = errorType;
    this.trace = trace;
  }
}

/** One kept connection to the Runtime API, on which one request is under way at a time. */
class RuntimeApi {
  #socket;
  #unread = Buffer.alloc(0);
  #pieces = [];
  #missing = 0;
  #head = null;
  #waiting = null;
  #address;

  constructor(address) {
    this.#address = address;
    const colon = address.lastIndexOf(":");
    this.#socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
    this.#socket.on("data", (data) => this.#take(data));
    // The server is gone, and nobody is left to work for.
    this.#socket.on("error", end);
    this.#socket.on("close", end);
  }

  /** Lets the event loop come to its end although the connection is open. */
  rest() {
    this.#socket.unref();
  }

  async next() {
    const reply = await this.#exchange(`GET ${API}/invocation/next HTTP/1.1\r\nHost: ${this.#address}\r\n\r\n`);
    if (reply.status !== 200) {
      end();
    }
    return reply;
  }

  /** Sends an answer (kind "response" or "error"), and gives the next event. */
  async answerAndNext(requestId, kind, body, errorType) {
    const where = `${API}/invocation/${requestId}/${kind}`;
    const reply = await this.#post(where, errorType, "Portcullis-Then: next\r\n", body);
    if (reply.status === 200) {
      return reply;
    }
    print(`the Runtime API refused an answer: ${reply.status} ${reply.body.toString("utf8")}`);
    return this.next();
  }

  /** Sends an error after which this process ends. */
  async lastError(requestId, body, errorType) {
    await this.#post(`${API}/invocation/${requestId}/error`, errorType, "", body);
  }

  /** Says that the function cannot begin. */
  async initError(body, errorType) {
    await this.#post(`${API}/init/error`, errorType, "", body);
  }

  #post(where, errorType, more, body) {
    const bytes = Buffer.from(body, "utf8");
    const type = errorType ? `Lambda-Runtime-Function-Error-Type: ${errorType.replace(/[^\x20-\x7e]/g, "?")}\r\n` : "";
    const head = `POST ${where} HTTP/1.1\r\nHost: ${this.#address}\r\nContent-Type: application/json\r\n${type}${more}`;
    return this.#exchange(`${head}Content-Length: ${bytes.length}\r\n\r\n`, bytes);
  }

  #exchange(head, body) {
    this.#socket.ref();
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#socket.cork();
      this.#socket.write(head, "latin1");
      if (body !== undefined) {
        this.#socket.write(body);
      }
      this.#socket.uncork();
    });
  }

  #take(data) {
    if (this.#head === null) {
      this.#unread = this.#unread.length === 0 ? data : Buffer.concat([this.#unread, data]);
      const at = this.#unread.indexOf("\r\n\r\n");
      if (at < 0) {
        return;
      }
      const lines = this.#unread.toString("latin1", 0, at).split("\r\n");
      const headers = {};
      for (const line of lines.slice(1)) {
        const colon = line.indexOf(":");
        headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      this.#head = { status: Number(lines[0].split(" ", 2)[1]), headers };
      this.#missing = Number(headers["content-length"] ?? 0);
      data = this.#unread.subarray(at + 4);
      this.#unread = Buffer.alloc(0);
    }
    const mine = data.subarray(0, this.#missing);
    this.#pieces.push(mine);
    this.#missing -= mine.length;
    if (this.#missing > 0) {
      return;
    }
    this.#unread = data.subarray(mine.length);
    const reply = { ...this.#head, body: this.#pieces.length === 1 ? mine : Buffer.concat(this.#pieces) };
    this.#head = null;
    this.#pieces = [];
    const resolve = this.#waiting;
    this.#waiting = null;
    resolve?.(reply);
  }
}

/** Ends at once, with the processes the handler has started. */
function end() {
  try {
    kill(-process.pid, "SIGKILL");
  } catch {
    // It leads no group.
  }
  exitProcess(1);
}

/** Writes to standard output and does not return before it is written. */
function print(text) {
  let bytes = Buffer.from(`${text}\n`, "utf8");
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(write(1, bytes));
    } catch (error) {
      if (error.code !== "EAGAIN") {
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** What is under way ("init", "idle" or "event"), and the invocation that log lines name. */
const current = { phase: "init", requestId: undefined };

/** What to do when the event loop is empty. */
let drained = null;

function setUpConsole() {
  const at = (level) =>
    (...values) =>
      print(`${new Date().toISOString()}\t${current.requestId}\t${level}\t${util.format(...values)}`);
  Object.assign(console, {
    log: at("INFO"),
    info: at("INFO"),
    debug: at("DEBUG"),
    warn: at("WARN"),
    error: at("ERROR"),
    trace: (...values) => {
      const stack = new Error().stack.split("\n").slice(2).join("\n");
      at("TRACE")(`${util.format(...values)}\n${stack}`);
    },
  });
}

/** The error as Lambda reports it. The frames of this file are left out. */
function describe(error) {
  if (util.types.isNativeError(error) || error instanceof Error) {
    const text = (value) => String(value).slice(0, LONGEST_MESSAGE);
    const name = text(error.name || "Error");
    const stack = typeof error.stack === "string" ? error.stack.slice(0, LONGEST_MESSAGE).split("\n") : [];
    const trace = (error instanceof Fault ? error.trace : null) ?? stack.filter((line) => !line.includes(OWN_FRAME)).slice(0, 200);
    return { errorType: name, errorMessage: text(error.message), trace };
  }
  let message;
  try {
    message = typeof error === "object" && error !== null ? util.inspect(error) : String(error);
  } catch {
    message = "(this value cannot be printed)";
  }
  return { errorType: typeof error, errorMessage: message.slice(0, LONGEST_MESSAGE), trace: [] };
}

/** The error's type and its JSON, after it was logged. */
function report(error, what) {
  let described;
  try {
    described = describe(error);
  } catch {
    described = { errorType: "Error", errorMessage: "(this error cannot be printed)", trace: [] };
  }
  const logged = { errorType: described.errorType, errorMessage: described.errorMessage, stack: described.trace };
  print(`${new Date().toISOString()}\t${current.requestId}\tERROR\t${what}\t${serialize(logged)}`);
  return [described.errorType, serialize(described)];
}

/** Where a module is: "index" may be a file of that name, or index.js, index.mjs or index.cjs. */
function locate(base) {
  for (const ending of ["", ".js", ".mjs", ".cjs"]) {
    const file = base + ending;
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
      return file;
    }
  }
  return null;
}

/** Whether a file is an ECMAScript module: by its ending, or by the package.json closest above it. */
function isModule(file, root) {
  if (file.endsWith(".mjs")) {
    return true;
  }
  if (!file.endsWith(".js")) {
    return false;
  }
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const description = path.join(folder, "package.json");
    if (fs.existsSync(description)) {
      try {
        return deserialize(fs.readFileSync(description, "utf8"))?.type === "module";
      } catch (error) {
        throw new Fault("Runtime.ImportModuleError", `package.json cannot be read: ${error.message}`, []);
      }
    }
    if (folder === root || folder === path.dirname(folder)) {
      return false;
    }
  }
}

async function loadModule(name, root) {
  const base = path.resolve(root, name);
  if (base !== root && !base.startsWith(root + path.sep)) {
    throw new Fault("Runtime.MalformedHandlerName", `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`, []);
  }
  const file = locate(base);
  try {
    if (file !== null && isModule(file, root)) {
      return await import(pathToFileURL(file).href);
    }
    const require = createRequire(path.join(root, "_"));
    return file === null ? require(require.resolve(base)) : require(file);
  } catch (error) {
    if (error instanceof Fault) {
      throw error;
    }
    if (error instanceof SyntaxError) {
      throw new Fault("Runtime.UserCodeSyntaxError", String(error), String(error.stack).split("\n"));
    }
    const missing = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error?.code);
    if (missing) {
      throw new Fault("Runtime.ImportModuleError", String(error), String(error.stack).split("\n"));
    }
    throw error;
  }
}

/** The function that a handler's name means: "index.handler", "folder/index.handler", "index.tools.mail". */
async function load(name, root) {
  const basename = path.basename(name);
  const found = /^([^.]+)\.(.+)$/.exec(basename);
  if (name.includes("..") || found === null) {
    const message = `'${name}' is not a valid handler name. It has the form "file.function".`;
    throw new Fault("Runtime.MalformedHandlerName", message, []);
  }
  const [, file, members] = found;
  const module = await loadModule(path.join(path.dirname(name), file), root);
  const step = (holder) => members.split(".").reduce((value, member) => value?.[member], holder);
  const handler = step(module) ?? step(module?.default);
  if (handler === undefined || handler === null) {
    throw new Fault("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw new Fault("Runtime.HandlerNotFound", `${name} is not a function`);
  }
  if (handler.length > 2 && runtimeVersion() >= WITHOUT_CALLBACKS) {
    throw new Fault(
      "Runtime.CallbackHandlerDeprecated",
      "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. Please modify " +
        "this function to use a supported handler signature: make it async, and return its answer.",
    );
  }
  return handler;
}

function runtimeVersion() {
  return Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "")?.[1] ?? 0);
}

function readHeader(text, name) {
  if (text === undefined) {
    return undefined;
  }
  try {
    return deserialize(text);
  } catch (error) {
    throw new Fault("Runtime.LambdaContextUnmarshalError", `Unable to parse ${name} JSON: ${error.message}`);
  }
}

/** What a handler gets as its second argument. */
function makeContext(headers, settle) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"] ?? 0);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: readHeader(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: readHeader(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
  if (runtimeVersion() < WITHOUT_CALLBACKS) {
    context.succeed = (result) => settle.now(null, result);
    context.fail = (error) => settle.now(error ?? "handled");
    context.done = (error, result) => settle.later(error, result);
  }
  return context;
}

/** What the handler makes of one event; rejects with what it threw. */
function perform(handler, headers, body) {
  return new Promise((resolve, reject) => {
    const failed = (error) => error !== undefined && error !== null;
    let finished = false;
    let called = false;
    const finish = (error, result) => {
      if (finished) {
        return;
      }
      finished = true;
      drained = null;
      if (failed(error)) {
        reject(error);
      } else {
        resolve(result);
      }
    };
    let context;
    const settle = {
      now: finish,
      // A callback's answer is sent when nothing is left to do, unless the handler says otherwise.
      later: (error, result) => {
        if (called) {
          return;
        }
        called = true;
        if (context.callbackWaitsForEmptyEventLoop && !failed(error)) {
          drained = () => finish(error, result);
        } else {
          setImmediate(finish, error, result);
        }
      },
    };
    // Nothing is left to do, and nobody has answered.
    drained = () => {
      if (runtimeVersion() >= WITHOUT_CALLBACKS) {
        const message =
          "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a " +
          "Promise that was never settled.";
        finish(new Fault("Runtime.NodeJsExit", message, []));
      } else {
        finish(null, null);
      }
    };
    try {
      context = makeContext(headers, settle);
      const event = deserialize(body.toString("utf8"));
      const made = handler(event, context, settle.later);
      if (typeof made?.then === "function") {
        made.then((result) => finish(null, result), (error) => finish(error ?? "handled"));
      } else if (runtimeVersion() >= WITHOUT_CALLBACKS) {
        finish(null, made);
      }
    } catch (error) {
      finish(error ?? "handled");
    }
  });
}

/** An answer as JSON; nothing is null. */
function marshal(value) {
  let text;
  try {
    text = serialize(value === undefined ? null : value) ?? "null";
  } catch (error) {
    print(`${new Date().toISOString()}\t${current.requestId}\tERROR\tThe answer is no JSON: ${error?.message}`);
    throw new Fault("Error", "Unable to stringify response body");
  }
  if (Buffer.byteLength(text) > LARGEST_ANSWER) {
    throw new Fault(
      "Function.ResponseSizeTooLarge",
      `Response payload size exceeded maximum allowed payload size (${LARGEST_ANSWER} bytes).`,
      [],
    );
  }
  return text;
}

/** One event: the kind of the answer, its body, and the type of the error. */
async function handle(handler, headers, body) {
  try {
    return ["response", marshal(await perform(handler, headers, body))];
  } catch (error) {
    const [errorType, described] = report(error, "Invoke Error");
    return ["error", described, errorType];
  }
}

/** Closes files that the server was started with and did not open itself. */
function closeInherited() {
  let names = [];
  try {
    names = fs.readdirSync("/proc/self/fd");
  } catch {
    return;
  }
  for (const name of names.map(Number).filter((name) => name > 2)) {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${name}`);
      if (target.startsWith("/") && !target.startsWith("/dev/") && !target.startsWith("/proc/")) {
        fs.closeSync(name);
      }
    } catch {
      // It was closed meanwhile.
    }
  }
}

/** An error that nobody caught ends the process: nobody knows what state it is in. */
function endOnUncaught(api) {
  const last = (what, status) => async (error) => {
    const [errorType, described] = report(error, what);
    if (current.phase === "init") {
      await api.initError(described, errorType);
    } else if (current.phase === "event") {
      // While nothing is under way, the connection waits for an event, and nobody for an error.
      await api.lastError(current.requestId, described, errorType);
    }
    exitProcess(status);
  };
  process.on("uncaughtException", last("Uncaught Exception", 129));
  const rejected = last("Unhandled Promise Rejection", 128);
  process.on("unhandledRejection", (reason) => {
    const trace = reason instanceof Error ? String(reason.stack).split("\n") : [];
    rejected(new Fault("Runtime.UnhandledPromiseRejection", String(reason), trace));
  });
}

async function main() {
  const root = process.env.LAMBDA_TASK_ROOT ?? process.cwd();
  closeInherited();
  setUpConsole();
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
  endOnUncaught(api);
  process.on("beforeExit", () => drained?.());
  let handler;
  try {
    handler = await load(process.env._HANDLER ?? "", root);
  } catch (error) {
    const [errorType, described] = report(error, "Uncaught Exception");
    await api.initError(described, errorType);
    exitProcess(1);
  }
  current.phase = "idle";
  let event = await api.next();
  for (;;) {
    const requestId = event.headers["lambda-runtime-aws-request-id"];
    current.phase = "event";
    current.requestId = requestId;
    process.env._X_AMZN_TRACE_ID = event.headers["lambda-runtime-trace-id"] ?? "";
    api.rest();
    const [kind, body, errorType] = await handle(handler, event.headers, event.body);
    current.phase = "idle";
    event = await api.answerAndNext(requestId, kind, body, errorType);
  }
}

// Not awaited: a module that waits would count as unfinished when the event loop is empty.
main();

// Put here by `portcullis exec` for the command that it runs, and gone with it.
//
// Connections to names that are answered are made to the interceptor instead; TLS goes on between the client and the
// name. With --offline, connections to other machines are refused.
'use strict';

const net = require('node:net');

const settings = JSON.parse("SETTINGS");
const rule = new RegExp(settings.rule);
const connect = net.Socket.prototype.connect;

function isNear(name) {
  if (name === 'localhost' || name.endsWith('.localhost') || name === settings.near) return true;
  return /^127\.\d+\.\d+\.\d+$/.test(name) || name === '::1' || name === '::' || name === '0.0.0.0';
}

// What `net.connect` was asked for, as one object and the listener: it hands on an array of both.
function asked(args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  if (first !== null && typeof first === 'object') {
    const listener = Array.isArray(args[0]) ? second : args[args.length - 1];
    return [first, typeof listener === 'function' ? listener : undefined];
  }
  if (typeof first !== 'number' && !/^\d+$/.test(String(first))) return [undefined];
  const listener = args[args.length - 1];
  const host = typeof args[1] === 'string' ? args[1] : undefined;
  return [{ port: Number(first), host }, typeof listener === 'function' ? listener : undefined];
}

net.Socket.prototype.connect = function (...args) {
  const [options, listener] = asked(args);
  if (options === undefined || options.path || options.host === undefined || options.host === null) {
    return connect.apply(this, args);
  }
  const name = String(options.host).replace(/\.+$/, '').toLowerCase();
  if (rule.test(name)) {
    // A copy: TLS looks at the original for the name that it checks.
    const here = { ...options, host: '127.0.0.1', port: settings.port, family: 4 };
    delete here.lookup;
    return listener ? connect.call(this, here, listener) : connect.call(this, here);
  }
  if (settings.offline && !isNear(name)) {
    const why = `portcullis exec --offline: nobody answers for ${name}; name who does with --answer ${name}=URL`;
    const error = Object.assign(new Error(why), { code: 'ENETUNREACH', hostname: name });
    process.nextTick(() => this.destroy(error));
    return this;
  }
  return connect.apply(this, args);
};

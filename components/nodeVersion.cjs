// Plain JavaScript of the old kind, which any Node reads: it is asked before the first line of TypeScript.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

/**
 * What to do if this Node is too old to run TypeScript by itself; undefined if it is new enough.
 * `pulumi` runs the first `node` on PATH, whichever one npm used.
 * @returns {string | undefined}
 */
exports.nodeFault = () => {
  const { engines } = JSON.parse(readFileSync(join(__dirname, "../package.json"), "utf8"));
  const wanted = engines.node.replace(">=", "");
  const [major = 0, minor = 0] = wanted.split(".").map(Number);
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split(".").map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return undefined;
  return `Node ${process.versions.node} is first on PATH, and ${wanted} or newer is needed. The project brings one: export PATH="$PWD/node_modules/.bin:$PATH"`;
};

/**
 * What to do if this is not Linux; undefined if it is. Scripts of this machine and of the Docker host use GNU's programs (`mv -T`).
 * @param {string} platform as `process.platform` names it
 * @returns {string | undefined}
 */
exports.systemFault = (platform = process.platform) =>
  platform === "linux"
    ? undefined
    : `this machine runs ${platform === "darwin" ? "macOS" : platform}, and stacks are brought up from Linux: use a Linux machine, a virtual machine or WSL 2`;

/** Words that say that a value is secret, as they stand in a name in upper snake case. */
const SECRET_WORD =
  /(^|_)(PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|PW|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|SIGNING_KEY|SECRET_KEY|ENCRYPTION_KEY|MASTER_KEY|ROUTING_KEY|CREDENTIALS?|REQUIREPASS|MASTERAUTH|AUTH|CREDS?|WEBHOOK|DSN)(_PREVIOUS|_?\d+)?$/;
/** The same without a border before it: `REDISPASSWORD`, `DBPASS`. */
const SECRET_ENDING =
  /(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|APIKEY|(?<!BY|COM)PASS|PWD|(?<=[A-Z]{2})PW|CLI_AUTH)\d*$/;
/** A key that no word above explains: `BINANCE_KEY`. */
const KEY_ENDING = /_KEY$/;
const PUBLIC_KEY = /(PUBLIC|HOST|SORT|PRIMARY|FOREIGN|HASH|PARTITION|CACHE|LABEL|GROUP|MAP|SSH_HOST)_KEY$/;
/** Credentials that are no secret to guess: logins, ids, public halves. */
const IDENTIFIER =
  /(^|_)(USER|USERNAME|USERID|LOGIN|ACCOUNT|CHAT|CHAT_ID|ID|EMAIL|PUBLIC|PUBLIC_KEY|CA|CERTIFICATE|CERT)$/;

/** `connection.privateKey`, `redis-password`, `redisPassword` as `..._PRIVATE_KEY`. */
export function upperSnake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toUpperCase();
}

/** Whether a value under this name is a secret. Names of files, `…_FILE` and `…_PATH`, are not. */
export function isSecretName(name: string): boolean {
  const key = upperSnake(name);
  if (PUBLIC_KEY.test(key) || key === "PWD" || key === "OLDPWD" || key === "AUTOLLM_CREDENTIALS") return false;
  return SECRET_WORD.test(key) || SECRET_ENDING.test(key) || KEY_ENDING.test(key);
}

/** Whether this value under this name is a secret: also what calls itself a file's name and is none. */
export function isSecretUnder(name: string, value: string): boolean {
  const key = upperSnake(name);
  const named = key.replace(/_(FILE|PATH)$/, "");
  return isSecretName(key) || (named !== key && isSecretName(named) && !/[./]/.test(value));
}

/** Whether a credential of this name identifies and does not authenticate. */
export function isIdentifierName(name: string): boolean {
  return IDENTIFIER.test(upperSnake(name));
}

/** Whether a credential of this name says where something is. What is secret in it is a part of it. */
export function isLocatorName(name: string): boolean {
  return /(^|_)(WEBHOOK|URL|URI)$/.test(upperSnake(name));
}

/** VNC uses 8 characters of a password and drops the rest. */
export function isVncName(name: string): boolean {
  return /(^|_)VNC(_|$)/.test(upperSnake(name));
}

/** The folders in which absolute paths begin, as alternatives of a pattern. */
export const ROOT_FOLDERS =
  "app|config|credentials|data|dev|etc|home|mnt|opt|proc|root|run|secrets?|srv|sys|tmp|usr|var";

/** Where a secret is and not the secret: a path, a shell's or a template's variable. */
const POINTER = [
  new RegExp(`^(file:)?(~|\\.{1,2})?\\/(${ROOT_FOLDERS})\\b`, "i"),
  /^(\.{1,2}|~)\/[\w.-]+\//,
  /^(\$[A-Za-z_{(]|`|%[sdq(]|:'|\{\{|\{env\.|\{\$|\{file\.|<%)/,
];
const SWITCH = /^(true|false|yes|no|disabled?|enabled?|required|optional)$/i;
/** What stands for no value, or for a way to log in: `auth: basic`. */
const METHOD =
  /^(none|null|nil|undefined|on|off|anonymous|basic|bearer|digest|ldap|md5|oauth2?|oidc|peer|plain|reject|scram-sha-256|trust)$/i;
const NUMBER = /^\d{1,5}(ms|s|m|h|d)?$/;
/** Names under which even `none` and `12345` are secrets, bad ones. */
const PASSWORD = /(PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|REQUIREPASS|MASTERAUTH)$/;

/** Whether a value under a secret's name only says where the secret is, or switches something. */
export function isReference(name: string, value: string): boolean {
  if (SWITCH.test(value) || POINTER.some((form) => form.test(value))) return true;
  return !PASSWORD.test(upperSnake(name)) && (METHOD.test(value) || NUMBER.test(value));
}

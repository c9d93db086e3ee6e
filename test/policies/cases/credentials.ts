import * as types from "../../../policies/lib/types.ts";
import { UNKNOWN } from "../../../policies/lib/value.ts";
import { command, container, filesOf, resource, secret, stdin } from "../fixtures.ts";
import type { RuleCases } from "./types.ts";

const redisPassword = secret();
const jwt = secret();

/** What mkdtemp puts behind a folder's name: six signs of three kinds, which with the name look drawn at random. */
const DRAWN = "AbC1x9";

/** Credentials in one resource. */
export const credentialsCases: Readonly<Record<string, RuleCases>> = {
  "authentication-on": {
    pass: { "a password": container() },
    fail: {
      "an empty password allowed": container({ props: { envs: ["ALLOW_EMPTY_PASSWORD=yes"] } }),
      "everyone trusted": container({ props: { envs: ["POSTGRES_HOST_AUTH_METHOD=trust"] } }),
      "no login": container({ props: { envs: ["GF_AUTH_ANONYMOUS_ENABLED=true"] } }),
      "an access list without password": filesOf("redis", {
        "run-secrets/users.acl": "user default on nopass ~* +@all\n",
      }),
      "pg_hba trusts the network": filesOf("postgres", { "etc/pg_hba.conf": "host all all samenet trust\n" }),
    },
  },
  "credential-not-default": {
    pass: {
      "a random one": filesOf("redis", { "run-secrets/redis": redisPassword }),
      "the environment's name": container({ props: { envs: ["ENVIRONMENT=test", "GF_SECURITY_ADMIN_USER=admin"] } }),
    },
    fail: {
      "in the environment": container({ props: { envs: ["POSTGRES_PASSWORD=changeme"] } }),
      "in a file": filesOf("redis", { "run-secrets/redis": "devredis\n" }),
      "in a script": command({ create: "redis-cli -a devredis ping" }),
    },
  },
  "credential-long-enough": {
    pass: {
      "24 bytes": filesOf("redis", { "run-secrets/redis": secret() }),
      "8 of VNC": filesOf("ib-gateway", { "run-secrets/vnc": secret(6) }),
    },
    fail: {
      "11 characters": filesOf("redis", { "run-secrets/redis": secret().slice(0, 11) }),
      empty: filesOf("redis", { "run-secrets/redis": "" }),
      "7 of VNC": filesOf("ib-gateway", { "run-secrets/vnc": secret().slice(0, 7) }),
    },
  },
  "credential-hard-to-guess": {
    pass: {
      random: filesOf("redis", { "run-secrets/redis": secret() }),
      hex: filesOf("redis", { "run-secrets/redis": "9f3a61c07be24d58a1c6e07f" }),
    },
    fail: {
      "a keyboard's rows": filesOf("redis", { "run-secrets/redis": "asdfghjkl98765" }),
      "three signs again and again": filesOf("redis", { "run-secrets/redis": "k7$k7$k7$k7$k7$" }),
      "a date": filesOf("redis", { "run-secrets/redis": "summer20260101" }),
    },
  },
  "credential-generated-strong": {
    pass: {
      "24 characters": resource(types.RANDOM_PASSWORD, { length: 24, special: false }),
      "32 bytes": resource(types.RANDOM_BYTES, { length: 32 }),
      "a name that is none": resource("random:index/randomPet:RandomPet", {}, { name: "host-name" }),
    },
    fail: {
      "8 characters": resource(types.RANDOM_PASSWORD, { length: 8 }),
      "12 digits": resource(types.RANDOM_PASSWORD, { length: 12, lower: false, upper: false, special: false }),
      "4 bytes": resource(types.RANDOM_BYTES, { length: 4 }),
      "shown in plain text": resource(
        "random:index/randomString:RandomString",
        { length: 32 },
        { name: "redis-password" },
      ),
    },
  },
  "container-no-plain-secret": {
    pass: {
      "names of files": container({
        props: { envs: ["POSTGRES_PASSWORD_FILE=/run/secrets/x", "LLM_PUBLIC_KEY_PATH=/run/k"] },
      }),
      "a secret read from its file": container({
        props: {
          healthcheck: { tests: ["CMD", "sh", "-c", 'REDISCLI_AUTH="$(cat /run/secrets/redis)" redis-cli ping'] },
        },
      }),
      "not known yet": container({ props: { envs: [UNKNOWN, "TZ=UTC"] } }),
    },
    fail: {
      "in the environment": container({ props: { envs: [`JWT_SECRET=${secret()}`] } }),
      "under a harmless name": container({ props: { envs: [`EXTRA=${secret(32)}`] } }),
      "in the command": container({ props: { command: ["redis-server", "--requirepass", secret()] } }),
      "in a label": container({ labels: { "autollm.note": `password=${secret()}` } }),
      "a private key": container({ props: { uploads: [{ file: "/k", content: "-----BEGIN PRIVATE KEY-----" }] } }),
    },
  },
  "command-no-plain-secret": {
    pass: {
      "on stdin": command({ create: "cat > /etc/x", stdin: stdin({ "run-secrets/x": secret() }) }),
      "a key's fingerprint": command({
        create: `gpg --verify && test "$f" = ${"9DC8 5822 9FC7".replaceAll(" ", "")}${"0A".repeat(14)}`,
      }),
      "the address of a socket in a folder with a random name": command({
        create: `docker --host 'unix:///tmp/autollm-docker29-${DRAWN}/docker.sock' ps`,
        triggers: [`unix:///tmp/autollm-docker29-${DRAWN}/docker.sock`],
        environment: { DOCKER_HOST: `unix:///tmp/autollm-docker29-${DRAWN}/docker.sock` },
      }),
      "such a folder itself": command({
        create: `cat /tmp/autollm-docker29-${DRAWN}/file`,
        dir: `/tmp/a-folder-of-29-${DRAWN}`,
      }),
    },
    fail: {
      "in the query of a socket's address": command({ create: `curl 'unix:///tmp/a/b.sock?key=${secret()}' ps` }),
      "in a URL's query": command({ create: `curl 'https://example.com/tmp/x?key=${secret()}'` }),
      "in a URL's path": command({ create: `curl https://example.com/tmp/${secret(32)}` }),
      "beside a path": command({ create: `echo ${secret(32)} > /tmp/autollm-docker29-${DRAWN}/file` }),
      "with a slash before it": command({ create: `echo /${secret(32)}` }),
      "in the script": command({ create: `psql "postgres://app:${secret()}@db/app" -c 'select 1'` }),
      "in the environment": command({ create: "true", environment: { API_TOKEN: secret() } }),
      "when it is undone": command({ create: "true", delete: `curl -H 'Authorization: Bearer ${secret()}' https://x` }),
    },
  },
  "credential-files-granted": {
    pass: {
      "its own": filesOf("redis", { "run-secrets/redis-backup": redisPassword }),
      "a service's own role": filesOf("reporter", { "run-secrets/env/POSTGRES_PASSWORD": secret() }),
    },
    fail: {
      "another's": filesOf("news-ingestor", { "run-secrets/env/BINANCE_API_KEY": secret() }),
      "a database without need": filesOf("news-ingestor", { "run-secrets/env/POSTGRES_PASSWORD": secret() }),
      "an unknown reader": filesOf("stranger", { "run-secrets/jwt": jwt }),
    },
  },
};

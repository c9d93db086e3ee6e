import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../tools/lib/workspace.ts";

/** History and reasons name commands, but ask nobody to type them. */
const PAGES = ["*.md", "docs/**/*.md"];
const NOT_PAGES = ["CHANGELOG.md", "docs/decisions.md"];

const PROGRAMS =
  "\\./autollm|npm|npx|node|pulumi|docker|git|gh|ssh|curl|systemctl|journalctl|tools/github/protect\\.sh";
const SETTINGS = "(?:[A-Z_]+=\\S+ )*";
const COMMAND = new RegExp(`^${SETTINGS}(?:${PROGRAMS}) \\S`);
/** In a block, a command may stand behind words that say what it is for. */
const IN_BLOCK = new RegExp(`(?:^|\\s{2,})(${SETTINGS}(?:${PROGRAMS}) \\S.*)$`);

/** Every command that the pages tell a reader to type, and the pages that do. */
export function documentedCommands(): Map<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const add = (text: string, page: string) => {
    const command = text.replace(/\s+#.*$/, "").trim();
    if (COMMAND.test(command)) found.set(command, [...(found.get(command) ?? []), page]);
  };
  for (const page of globSync(PAGES, { cwd: root }).filter((path) => !NOT_PAGES.includes(path))) {
    // Every second part lies between fences.
    for (const [index, part] of readFileSync(join(root, page), "utf8")
      .split(/^```.*$/m)
      .entries()) {
      const lines = part.split("\n").filter((line) => index % 2 === 1 || line.startsWith("    "));
      for (const line of lines) add(IN_BLOCK.exec(line)?.[1] ?? "", page);
      if (index % 2 === 0)
        for (const [, span = ""] of part.matchAll(/`([^`]+)`/g)) add(span.replace(/\s+/g, " "), page);
    }
  }
  return found;
}

/** How a documented command is known to work. */
export type Proof =
  /** It is run as it stands, in a clone. */
  | true
  /** It is run in a clone with its blanks filled in. */
  | string
  /** The same, on the stack `staging` of a clone, whose state is a folder. */
  | { readonly staging: true | string }
  /** A test that runs it on a stack of its own. */
  | { readonly seenIn: string }
  /** It is not run: what it needs that no test has. */
  | { readonly needs: string };

/** It loses what it is about, and brings it back. */
const DISASTER = { seenIn: "test/e2e/disaster.test.ts" };
const OLD_INSTALLATION = { seenIn: "test/e2e/old-installation.test.ts" };
const MOVE = { seenIn: "test/e2e/move.test.ts" };
const ACME = { seenIn: "test/unit/another-application.test.ts" };
const GITHUB = { needs: "GitHub" };
const STORAGE = { needs: "a cloud's storage" };
const KEY_SERVICE = { needs: "a cloud's key service" };
const SERVER = { needs: "a real host, with its domain" };
const BY_HAND = { needs: "somebody to look at it: it runs for as long as one lets it" };
const KEY_CHANGE = { seenIn: "test/e2e/host-access.test.ts" };
const CHECK_IMAGE = { seenIn: "test/e2e/check-image.test.ts" };
const FIXES = { seenIn: "test/e2e/host-fixes.test.ts" };
const DOMAINS = { seenIn: "test/e2e/edge.test.ts" };
const REGISTRIES = { seenIn: "test/e2e/registries.test.ts" };
const FIREWALL = { seenIn: "test/e2e/host-firewall.test.ts" };
const CI = { seenIn: ".ci/run" };
const secret = (name: string) => `openssl rand -hex 16 | ./autollm pulumi config set --secret ${name} --stack staging`;
const containersOf = (service: string) =>
  `docker ps --all --filter label=autollm.service=${service} | grep '${service}-'`;

/** In the order in which they are run. $CONTAINER is one of the stack's, $HTTP and $HTTPS are its ports. */
export const proofs: Readonly<Record<string, Proof>> = {
  // From a clone to a platform.
  "npm ci": true,
  "npm ci && npm run up -- --install": "npm ci && npm run up -- --install --http-port $HTTP --https-port $HTTPS",
  "./autollm up": true,
  "./autollm preview": true,
  "./autollm pulumi stack output grafanaPassword --show-secrets": true,
  "./autollm pulumi stack output adminPassword --show-secrets": true,
  "./autollm pulumi stack output backupKey --show-secrets": true,
  "./autollm pulumi stack output containers": true,
  "curl -v https://DOMAIN/ROUTE": "curl --insecure --fail --location https://localhost:$HTTPS/grafana/",
  "curl -i https://DOMAIN/ROUTE": "curl --insecure --include https://localhost:$HTTPS/jaeger/ | grep -q ' 401'",
  "./autollm pulumi stack history": true,
  "./autollm pulumi": "./autollm pulumi version",
  "./autollm smoke https://HOST": "./autollm smoke https://localhost:$HTTPS --insecure --http-port $HTTP",
  "./autollm --help": true,
  "./autollm COMMAND --help": "./autollm up --help",
  "npx autollm": "npx autollm --help",
  // Right after another test an alert may fire.
  "./autollm status": "./autollm status || [ $? = 2 ]",
  "./autollm status --stack NAME": "./autollm status --stack local || [ $? = 2 ]",
  "./autollm check-image": CHECK_IMAGE,
  "./autollm dashboards": "./autollm dashboards $STATE/pictures",
  "./autollm backtest": "./autollm backtest && ./autollm backtest BTC-USD --start 2025-01-01",
  "./autollm kill-switch": "./autollm kill-switch status",
  "./autollm smoke": "./autollm smoke https://localhost:$HTTPS --insecure --http-port $HTTP",
  "./autollm unlock": true,
  "./autollm drift": true,
  "./autollm unlock --stack NAME": "./autollm unlock --stack local",
  "./autollm pulumi cancel --stack NAME": "./autollm pulumi cancel --yes --stack local",
  "./autollm drift --repair": { seenIn: "test/e2e/host.test.ts" },
  "./autollm pulumi up --refresh": "./autollm pulumi up --refresh --yes",
  "./autollm drift --stack NAME": "./autollm drift --stack local",
  "./autollm drift --stack NAME --repair": { seenIn: "test/e2e/host.test.ts" },
  "./autollm check-image SERVICE IMAGE":
    "./autollm check-image reporter $(docker images --format '{{.Repository}}:{{.Tag}}' autollm.local/reference | head -n 1)",
  "./autollm check-image portfolio-ledger registry.example/portfolio-ledger:1 --application autollm": CHECK_IMAGE,
  './autollm check-image portfolio-ledger IMAGE --release \'{"command": ["python", "-m", "app"], "writable": {"/app/data": {"memory": 64}}}\'':
    CHECK_IMAGE,
  "./autollm check-image gateway-api IMAGE --application acme": ACME,
  "./autollm dashboards DIR": "./autollm dashboards $STATE/pictures",
  "./autollm kill-switch on": "./autollm kill-switch on && ./autollm kill-switch off",
  "./autollm kill-switch off": "./autollm kill-switch on && ./autollm kill-switch off",
  "./autollm kill-switch off --stack production": { seenIn: "test/e2e/kill-switch.test.ts" },
  "./autollm kill-switch off --stack NAME": { seenIn: "test/e2e/kill-switch.test.ts" },
  "./autollm kill-switch status --stack NAME": { seenIn: "test/e2e/kill-switch.test.ts" },
  "./autollm kill-switch on --reason TEXT":
    "./autollm kill-switch on --reason drill && { ./autollm kill-switch status || [ $? = 2 ]; } && ./autollm kill-switch off",

  // Looking at containers, as the runbooks do.
  "docker logs": "docker logs $CONTAINER",
  "docker logs --tail 50 NAME": "docker logs --tail 50 $CONTAINER",
  "docker logs --tail 50 CONTAINER": "docker logs --tail 50 $CONTAINER",
  "docker inspect": "docker inspect $CONTAINER",
  "docker inspect CONTAINER --format '{{.State.OOMKilled}} {{.State.ExitCode}}'":
    "docker inspect $CONTAINER --format '{{.State.OOMKilled}} {{.State.ExitCode}}'",
  "docker ps --all --filter label=autollm.service=NAME": containersOf("gateway-api"),
  "docker ps --all --filter label=autollm.service=SERVICE": containersOf("reporter"),
  "docker ps --all --filter label=autollm.service=alertmanager": containersOf("alertmanager"),
  "docker ps --all --filter label=autollm.service=backup": containersOf("backup"),
  "docker ps --all --filter label=autollm.service=jaeger": containersOf("jaeger"),
  "docker ps --all --filter label=autollm.service=nats": containersOf("nats"),
  "docker ps --filter label=autollm.service=postgres": containersOf("postgres"),
  "docker ps --filter label=autollm.service=redis": containersOf("redis"),
  "docker exec REDIS sh /etc/autollm/acl.sh cli --bigkeys":
    "docker exec $(docker ps --quiet --filter label=autollm.service=redis | head -n 1) sh /etc/autollm/acl.sh cli --bigkeys",
  "docker exec REDIS sh /etc/autollm/acl.sh cli bgsave":
    "docker exec $(docker ps --quiet --filter label=autollm.service=redis | head -n 1) sh /etc/autollm/acl.sh cli bgsave",
  "docker restart": "docker restart $CONTAINER",
  "docker start": "docker start $CONTAINER",
  "docker start CONTAINER": "docker stop $CONTAINER && docker start $CONTAINER",
  "docker stats --no-stream": true,
  "docker system df -v": true,

  // Credentials and backups.
  "./autollm rotate NAME": "./autollm rotate nats-reporter --yes",
  "./autollm rotate --due": true,
  "./autollm rotate --due --json": true,
  "./autollm rotate NAME... | --due | --all": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm rotate redis-risk-manager jwt": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm rotate jwt --leaked": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm rotate --all": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm rotate": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm pulumi config set --path generation.redis-risk-manager 2 && ./autollm up": {
    seenIn: "test/e2e/rotation.test.ts",
  },
  "./autollm import":
    'echo "SLACK_WEBHOOK_URL=https://hooks.example/$(openssl rand -hex 16)" > .env && ./autollm import .env --yes',
  "./autollm import path/to/.env": "./autollm import .env --yes",
  "./autollm import path/to/.env --stack NAME": "./autollm import .env --stack local --overwrite --yes",
  "./autollm import ssh://USER@HOST/opt/autollm --data --dry-run --stack NAME": OLD_INSTALLATION,
  "./autollm import ssh://USER@HOST/opt/autollm --data --stack NAME": OLD_INSTALLATION,
  "./autollm restore": { seenIn: "test/e2e/backup.test.ts" },
  "./autollm backup": true,
  "./autollm backup --list": true,
  "./autollm backup --test": true,
  "./autollm backup --fetch": STORAGE,
  "./autollm backup --policies": { seenIn: "test/e2e/second-copy.test.ts" },
  "./autollm backup --prune-remote": { seenIn: "test/e2e/second-copy.test.ts" },
  "./autollm upgrade": { seenIn: "test/e2e/upgrade.test.ts" },
  "./autollm upgrade --remove-old": { seenIn: "test/e2e/upgrade.test.ts" },
  "./autollm pulumi config set --path heldImages.postgres 'postgres:17.11-alpine@sha256:…'": {
    staging: `./autollm pulumi config set --path heldImages.postgres postgres:17.11-alpine@sha256:${"ab".repeat(32)} --stack staging`,
  },
  "./autollm restore latest --into NAME": { seenIn: "test/e2e/backup.test.ts" },
  "docker volume ls --filter name=VOLUME": "docker volume ls --filter name=prometheus-data",
  "docker volume inspect VOLUME --format '{{.Mountpoint}}'":
    "docker volume inspect $(docker volume ls --quiet --filter name=prometheus-data | head -n 1) --format '{{.Mountpoint}}'",
  "./autollm restore ID": "./autollm restore latest --yes",
  "./autollm restore --at 2026-11-28T14:03:00Z": { seenIn: "test/e2e/wal.test.ts" },
  "./autollm restore --at latest": { seenIn: "test/e2e/wal.test.ts" },
  "./autollm restore --at previous": DISASTER,
  "./autollm restore latest": DISASTER,
  "./autollm up --new-volume redis-data": DISASTER,
  "./autollm restore --at 2000-01-01T00:00:00Z": { seenIn: "test/e2e/wal.test.ts" },
  "./autollm move": MOVE,
  "./autollm move --to ADDRESS": MOVE,
  "./autollm move --to 203.0.113.9 --host-key 'ssh-ed25519 AAAA...' --stack production": MOVE,
  "./autollm move --back --stack production": MOVE,
  "./autollm move --wipe 203.0.113.7 --stack production": MOVE,
  "./autollm recovery-kit": DISASTER,
  "./autollm recovery-kit FOLDER": DISASTER,
  "./autollm recovery-kit --check FOLDER": DISASTER,
  "./autollm pulumi stack rm production --force --preserve-config": DISASTER,
  "./autollm pulumi stack init production": DISASTER,
  "./autollm pulumi config set --path host.address 203.0.113.9 --stack production": SERVER,
  "./autollm pulumi config set --path host.hostKey 'ssh-ed25519 ...' --stack production": SERVER,
  "./autollm pulumi config set --secret backup-key --stack production": DISASTER,
  "./autollm up --stack production": DISASTER,
  "./autollm backup --fetch --stack production": DISASTER,
  "./autollm restore ID --stack production": DISASTER,
  "./autollm restore --at previous --stack production": DISASTER,
  "./autollm restore latest --state state.json --stack production": DISASTER,
  "./autollm pulumi stack import --file state.json --stack production": DISASTER,
  "./autollm preview --stack production": DISASTER,
  "./autollm pulumi config set --path backup.pointInTimeDays 3": true,
  "./autollm pulumi config set --path backup.everyHours 6": true,
  "./autollm restore ID|latest": { seenIn: "test/e2e/backup.test.ts" },
  "./autollm restore ID --state FILE":
    "./autollm restore latest --state state.json && ./autollm pulumi stack import --file state.json",
  "./autollm pulumi config set --secret backup-key-previous":
    "./autollm pulumi stack output backupKey --show-secrets | ./autollm pulumi config set --secret backup-key-previous",
  "./autollm pulumi config set --secret backup-key":
    "openssl rand -hex 24 | ./autollm pulumi config set --secret backup-key",
  "./autollm up && ./autollm pulumi config rm backup-key-previous": true,
  "./autollm pulumi config set --path 'autollm:trustedProxies[0]' 198.51.100.0/24 && ./autollm up": {
    seenIn: "test/e2e/edge-clients.test.ts",
  },
  "./autollm pulumi config set autollm:vncServer true && ./autollm up": true,
  "./autollm pulumi config set autollm:vncServer false && ./autollm up": true,
  "ssh -L 5900:$(ssh HOST docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' NAME | cut -d' ' -f1):5900 HOST":
    SERVER,
  "./autollm deploy": { seenIn: "test/e2e/operations.test.ts" },
  "./autollm deploy --stack NAME": { seenIn: "test/e2e/operations.test.ts" },
  "./autollm rollback": { seenIn: "test/e2e/operations.test.ts" },
  "./autollm rollback --stack NAME": { seenIn: "test/e2e/operations.test.ts" },
  "./autollm up --stack NAME": "./autollm up --stack local",
  "./autollm preview --stack NAME": "./autollm preview --stack local",
  "pulumi up": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm down": true,
  "npm run down": true, // README's own words

  // An environment with state of its own, up to the preview.
  "./autollm pulumi login": { staging: "PULUMI_CREDENTIALS_PATH=$STATE ./autollm pulumi login file://$STATE" },
  "./autollm pulumi login <your backend>": {
    staging: "PULUMI_CREDENTIALS_PATH=$STATE ./autollm pulumi login file://$STATE",
  },
  "./autollm pulumi stack init staging": { staging: true },
  "./autollm pulumi stack init --secrets-provider awskms://...": KEY_SERVICE,
  "pulumi stack change-secrets-provider": KEY_SERVICE,
  "./autollm pulumi config set --secret tws-userid --stack staging": { staging: secret("tws-userid") },
  "./autollm pulumi config set --secret tws-password --stack staging": { staging: secret("tws-password") },
  "./autollm pulumi config set --secret openai --stack staging": { staging: secret("openai") },
  "./autollm pulumi config set --secret openai": { staging: secret("openai") },
  "./autollm pulumi config set --secret NAME --stack staging": { staging: secret("finnhub") },
  "./autollm pulumi config set --secret NAME": { staging: secret("finnhub") },
  "./autollm config-secrets": { staging: true },
  "./autollm pulumi config set application acme --stack staging": ACME,
  "./autollm pulumi config set --path mail.host smtp.example.com --stack staging": { staging: true },
  "./autollm pulumi config set --path mail.port 587 --stack staging": { staging: true },
  "./autollm pulumi config set --path 'mail.recipients[0]' desk@example.com --stack staging": { staging: true },
  "./autollm pulumi config set freqtradeHost http://10.1.2.3:8080 --stack staging": { staging: true },
  "./autollm pin": { staging: "./autollm pin < images.json" },
  "./autollm pin < images.json": { staging: true },
  "./autollm pin --stack NAME < images.json": {
    staging: "./autollm pin --stack production < images.json",
  },
  "./autollm pulumi config set --path 'release.gateway-api.image' registry.example/gateway-api@sha256:... --stack staging":
    {
      staging:
        "./autollm pulumi config set --path 'release.gateway-api.image' registry.example/gateway-api@sha256:$(openssl rand -hex 32) --stack staging",
    },
  "./autollm pulumi config set --path backup.image registry.example/backup@sha256:... --stack staging": {
    staging:
      "./autollm pulumi config set --path backup.image registry.example/backup@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "./autollm pulumi config set --path edge.image registry.example/edge-sockets@sha256:... --stack staging": {
    staging:
      "./autollm pulumi config set --path edge.image registry.example/edge-sockets@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "./autollm pulumi config set application autollm --stack staging": { staging: true },
  "./autollm pulumi config set --path 'release.portfolio-ledger.image' registry.example/portfolio-ledger@sha256:... --stack staging":
    {
      staging:
        "./autollm pulumi config set --path 'release.portfolio-ledger.image' registry.example/portfolio-ledger@sha256:$(openssl rand -hex 32) --stack staging",
    },
  "./autollm pulumi config set --path 'release.gateway-api.environment.AUTH' '{\"jwt_secret\":\"${credential:jwt}\"}' --stack staging":
    { staging: true },
  "./autollm pulumi config set --path backup.image IMAGE@sha256:... --stack staging": {
    staging:
      "./autollm pulumi config set --path backup.image registry.example/backup@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "./autollm preview --stack staging": { staging: true },
  "pulumi preview": { staging: "pulumi preview --stack staging" },
  "./autollm promote": { staging: "./autollm promote --yes" },
  "./autollm pulumi config set --secret pagerduty-key": { staging: secret("pagerduty-key") },
  "./autollm pulumi config set --secret slack-webhook": {
    staging:
      'echo "https://hooks.example/$(openssl rand -hex 16)" | ./autollm pulumi config set --secret slack-webhook --stack staging',
  },
  "./autollm pulumi config set --path host.port 2222": {
    staging: "./autollm pulumi config set --path host.port 2222 --stack staging",
  },
  "./autollm pulumi config set --path 'host.privateDestinations[0]' 10.1.0.0/16": {
    staging: "./autollm pulumi config set --path 'host.privateDestinations[0]' 10.1.0.0/16 --stack staging",
  },
  "./autollm pulumi config set --path 'host.privateDestinations[1].network' 10.2.0.7 && ./autollm pulumi config set --path 'host.privateDestinations[1].ports[0]' 5432":
    {
      staging:
        "./autollm pulumi config set --path 'host.privateDestinations[1].network' 10.2.0.7 --stack staging && ./autollm pulumi config set --path 'host.privateDestinations[1].ports[0]' 5432 --stack staging",
    },
  "./autollm pulumi config set --path 'host.deployerKeys[0]' \"$(cat ~/.ssh/autollm-new.pub)\"": KEY_CHANGE,
  "./autollm pulumi config set --path 'host.deployerKeys[0]' \"$(cat ~/.ssh/autollm-old.pub)\"": KEY_CHANGE,
  "./autollm pulumi config set --path host.privateKeyPath '~/.ssh/autollm-new'": KEY_CHANGE,
  "./autollm pulumi config rm --path 'host.deployerKeys[0]'": KEY_CHANGE,
  "./autollm pulumi config set --path 'domains[\"trade.example.org\"].key' --secret --stack staging < key.pem": DOMAINS,
  "./autollm pulumi config set --path 'domains[\"trade.example.org\"].certificate' --stack staging < certificate.pem":
    DOMAINS,
  "./autollm pulumi config set --path 'domains[\"api.example.org\"]' '{}' --stack staging": DOMAINS,
  "./autollm pulumi config set --path 'registries[\"ghcr.io\"].user' robot --stack staging": REGISTRIES,
  "./autollm pulumi config set --secret --path 'registries[\"ghcr.io\"].password' --stack staging": REGISTRIES,
  "./autollm scan images --stack staging": REGISTRIES,
  "pulumi stack export": { staging: "pulumi stack export --stack staging --file exported.json" },
  "pulumi stack import": { staging: "pulumi stack import --stack staging --file exported.json" },
  "./autollm up --stack staging": SERVER,
  "./autollm smoke https://staging.example.com": SERVER,
  "./autollm smoke URL --application acme": SERVER,
  "curl -v https://DOMAIN/health": SERVER,
  "./autollm pulumi config set --path backup.s3 s3:https://s3.example.com/bucket --stack production": STORAGE,
  "./autollm pulumi config set --secret s3-access-key --stack production": STORAGE,
  "./autollm pulumi config set --secret s3-secret-key --stack production": STORAGE,
  "pulumi state unprotect URN": { seenIn: "test/e2e/backup.test.ts" },
  "pulumi destroy": { seenIn: "test/e2e/host-access.test.ts" },

  // The repository's own.
  "git config core.hooksPath .githooks": true,
  "npm run format": true,
  "./autollm lint-workflows": true,
  "./autollm scan secrets": true,
  "npm run docs": CI,
  "./autollm screenshots": { needs: "a browser, and somebody to look at what it took" },
  "npx vitest run --project unit release": CI,
  "npm test": CI,
  "npm run e2e": CI,
  "npm run e2e -- test/e2e/config-checks.test.ts": { seenIn: "test/e2e/config-checks.test.ts" },
  "npm run e2e -- test/e2e/workflows.test.ts": { seenIn: "test/e2e/workflows.test.ts" },
  './autollm e2e faults.test.ts --only "killed"': { seenIn: "test/e2e/faults.test.ts" },
  "npm run e2e:full": { needs: "hours: it runs all that is named here" },
  "npm run bench": BY_HAND,
  "npm run bench -- --write": BY_HAND,
  "npm run bench -- --compare 001f07f --rounds 3": BY_HAND,
  "npx node tools/bootstrap/engine/main.ts": true,
  "npx node tools/bootstrap/images/main.ts [NAME...]": "npx node tools/bootstrap/images/main.ts reference",
  "npx node test/e2e/host/main.ts up": "npx node test/e2e/host/main.ts up && npx node test/e2e/host/main.ts down",
  "UPDATE_DOCS=1 npm run e2e -- test/e2e/faults.test.ts": { seenIn: "test/e2e/faults.test.ts" },

  // Not done to this machine.
  "git revert": { needs: "a commit with a fault; it is git's own" },
  "docker image prune": { needs: "a machine whose unused images nobody wants" },
  "git reset --hard": { needs: "nobody: the page says that it is what the old installer did" },
  "journalctl --vacuum-size=200M": SERVER,
  "journalctl -k --grep 'Killed process'": SERVER,
  "systemctl restart systemd-timesyncd": SERVER,
  "systemctl reboot": SERVER,
  "systemctl list-timers": SERVER,
  "systemctl start autollm-upgrades": FIXES,
  "systemctl start autollm-upgrades-report": FIXES,
  "journalctl --unit autollm-upgrades --since -3d": SERVER,
  "journalctl --unit autollm-firewall-watch --lines 50": SERVER,
  "journalctl --unit docker --lines 50": SERVER,
  "systemctl status autollm-firewall-watch": FIREWALL,
  "systemctl restart nftables": FIREWALL,
  "systemctl disable --now nftables": FIREWALL,
  "systemctl disable --now firewalld": { needs: "firewalld" },
  "journalctl --unit autollm-upgrades-report --lines 50": SERVER,
  "journalctl --unit ssh | grep 'Accepted publickey for deployer'": SERVER,
  "docker stats": BY_HAND,
  "docker buildx imagetools inspect IMAGE:TAG": { needs: "a registry" },
  "tools/github/protect.sh OWNER/REPO REVIEWER REVIEWER REVIEWER": GITHUB,
  "tools/github/protect.sh --check OWNER/REPO REVIEWER REVIEWER REVIEWER": GITHUB,
  "tools/github/protect.sh --check OWNER/REPO": GITHUB,
  "tools/github/protect.sh --trust ORGANIZATION/TEAM OWNER/REPO": "tools/github/protect.sh --trust org/readers o/r",
};

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
const secret = (name: string) => `openssl rand -hex 16 | pulumi config set --secret ${name} --stack staging`;
const containersOf = (service: string) =>
  `docker ps --all --filter label=autollm.service=${service} | grep '${service}-'`;

/** In the order in which they are run. $CONTAINER is one of the stack's, $HTTP and $HTTPS are its ports. */
export const proofs: Readonly<Record<string, Proof>> = {
  // From a clone to a platform.
  "npm ci": true,
  "npm ci && npm run up -- --install": "npm ci && npm run up -- --install --http-port $HTTP --https-port $HTTPS",
  "npm run up": true,
  "npm run preview": true,
  "npm run -s pulumi -- stack output grafanaPassword --show-secrets": true,
  "npm run -s pulumi -- stack output adminPassword --show-secrets": true,
  "npm run -s pulumi -- stack output backupKey --show-secrets": true,
  "npm run pulumi -- stack output containers": true,
  "curl -v https://DOMAIN/ROUTE": "curl --insecure --fail --location https://localhost:$HTTPS/grafana/",
  "curl -i https://DOMAIN/ROUTE": "curl --insecure --include https://localhost:$HTTPS/jaeger/ | grep -q ' 401'",
  "npm run pulumi -- stack history": true,
  "npm run pulumi": "npm run pulumi -- version",
  "npm run smoke -- https://HOST": "npm run smoke -- https://localhost:$HTTPS --insecure --http-port $HTTP",
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
  "npm run drift": true,
  "npm run unlock -- --stack NAME": "npm run unlock -- --stack local",
  "npm run pulumi -- cancel --stack NAME": "npm run pulumi -- cancel --yes --stack local",
  "npm run drift -- --stack NAME": "npm run drift -- --stack local",
  "npm run drift -- --stack NAME --mend": { seenIn: "test/e2e/host.test.ts" },
  "npm run check-image -- SERVICE IMAGE":
    "npm run check-image -- reporter $(docker images --format '{{.Repository}}:{{.Tag}}' autollm.local/reference | head -n 1)",
  "npm run check-image -- portfolio-ledger registry.example/portfolio-ledger:1 --application autollm": CHECK_IMAGE,
  'npm run check-image -- portfolio-ledger IMAGE --release \'{"command": ["python", "-m", "app"], "writable": {"/app/data": {"memory": 64}}}\'':
    CHECK_IMAGE,
  "npm run check-image -- gateway-api IMAGE --application acme": ACME,
  "npm run dashboards -- DIR": "npm run dashboards -- $STATE/pictures",
  "npm run kill-switch -- on": "npm run kill-switch -- on && npm run kill-switch -- off",
  "npm run kill-switch -- off": "npm run kill-switch -- on && npm run kill-switch -- off",
  "npm run kill-switch -- off --stack NAME": { seenIn: "test/e2e/kill-switch.test.ts" },
  "npm run kill-switch -- status --stack NAME": { seenIn: "test/e2e/kill-switch.test.ts" },
  "npm run kill-switch -- on --reason TEXT":
    "npm run kill-switch -- on --reason drill && { npm run kill-switch -- status || [ $? = 2 ]; } && npm run kill-switch -- off",

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
  "npm run rotate -- NAME": "npm run rotate -- nats-reporter --yes",
  "npm run rotate -- --due": true,
  "npm run rotate -- --due --json": true,
  "npm run rotate -- NAME... | --due | --all": { seenIn: "test/e2e/rotation.test.ts" },
  "npm run rotate -- redis-risk-manager jwt": { seenIn: "test/e2e/rotation.test.ts" },
  "npm run rotate -- jwt --leaked": { seenIn: "test/e2e/rotation.test.ts" },
  "npm run rotate -- --all": { seenIn: "test/e2e/rotation.test.ts" },
  "npm run rotate": { seenIn: "test/e2e/rotation.test.ts" },
  "pulumi config set --path generation.redis-risk-manager 2 && pulumi up": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm import":
    'echo "SLACK_WEBHOOK_URL=https://hooks.example/$(openssl rand -hex 16)" > .env && ./autollm import .env --yes',
  "npm run adopt -- path/to/.env": "npm run adopt -- .env --yes",
  "npm run adopt -- path/to/.env --stack NAME": "npm run adopt -- .env --stack local --overwrite --yes",
  "./autollm restore": { seenIn: "test/e2e/backup.test.ts" },
  "npm run backup": true,
  "npm run backup -- --list": true,
  "npm run backup -- --test": true,
  "npm run backup -- --fetch": STORAGE,
  "npm run backup -- --policies": { seenIn: "test/e2e/second-copy.test.ts" },
  "npm run backup -- --prune-remote": { seenIn: "test/e2e/second-copy.test.ts" },
  "npm run restore -- latest --into NAME": { seenIn: "test/e2e/backup.test.ts" },
  "docker volume ls --filter name=VOLUME": "docker volume ls --filter name=prometheus-data",
  "docker volume inspect VOLUME --format '{{.Mountpoint}}'":
    "docker volume inspect $(docker volume ls --quiet --filter name=prometheus-data | head -n 1) --format '{{.Mountpoint}}'",
  "npm run restore -- ID": "npm run restore -- latest --yes",
  "npm run restore -- ID|latest": { seenIn: "test/e2e/backup.test.ts" },
  "npm run restore -- ID --state FILE":
    "npm run restore -- latest --state state.json && npm run pulumi -- stack import --file state.json",
  "npm run pulumi -- config set --secret backup-key-previous":
    "npm run -s pulumi -- stack output backupKey --show-secrets | npm run pulumi -- config set --secret backup-key-previous",
  "npm run pulumi -- config set --secret backup-key":
    "openssl rand -hex 24 | npm run pulumi -- config set --secret backup-key",
  "npm run up && npm run pulumi -- config rm backup-key-previous": true,
  "npm run pulumi -- config set --path 'autollm:trustedProxies[0]' 198.51.100.0/24 && npm run up": {
    seenIn: "test/e2e/edge-clients.test.ts",
  },
  "npm run pulumi -- config set autollm:vncServer true && npm run up": true,
  "npm run pulumi -- config set autollm:vncServer false && npm run up": true,
  "ssh -L 5900:$(ssh HOST docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' NAME | cut -d' ' -f1):5900 HOST":
    SERVER,
  "npm run deploy": { seenIn: "test/e2e/operations.test.ts" },
  "npm run deploy -- --stack NAME": { seenIn: "test/e2e/operations.test.ts" },
  "npm run rollback": { seenIn: "test/e2e/operations.test.ts" },
  "npm run rollback -- --stack NAME": { seenIn: "test/e2e/operations.test.ts" },
  "npm run up -- --stack NAME": "npm run up -- --stack local",
  "npm run preview -- --stack NAME": "npm run preview -- --stack local",
  "pulumi up": { seenIn: "test/e2e/rotation.test.ts" },
  "./autollm down": true,
  "npm run down": true, // README's own words

  // An environment with state of its own, up to the preview.
  "pulumi login": { staging: "PULUMI_CREDENTIALS_PATH=$STATE pulumi login file://$STATE" },
  "pulumi login <your backend>": { staging: "PULUMI_CREDENTIALS_PATH=$STATE pulumi login file://$STATE" },
  "pulumi stack init staging": { staging: true },
  "pulumi stack init --secrets-provider awskms://...": KEY_SERVICE,
  "pulumi stack change-secrets-provider": KEY_SERVICE,
  "pulumi config set --secret tws-userid --stack staging": { staging: secret("tws-userid") },
  "pulumi config set --secret tws-password --stack staging": { staging: secret("tws-password") },
  "pulumi config set --secret openai --stack staging": { staging: secret("openai") },
  "pulumi config set --secret openai": { staging: secret("openai") },
  "pulumi config set --secret NAME --stack staging": { staging: secret("finnhub") },
  "pulumi config set --secret NAME": { staging: secret("finnhub") },
  "npm run config:secrets": { staging: true },
  "pulumi config set application acme --stack staging": ACME,
  "pulumi config set --path mail.host smtp.example.com --stack staging": { staging: true },
  "pulumi config set --path mail.port 587 --stack staging": { staging: true },
  "pulumi config set --path 'mail.recipients[0]' desk@example.com --stack staging": { staging: true },
  "pulumi config set freqtradeHost http://10.1.2.3:8080 --stack staging": { staging: true },
  "npm run release:pin": { staging: "npm run release:pin < images.json" },
  "npm run release:pin < images.json": { staging: true },
  "npm run release:pin -- --stack NAME < images.json": {
    staging: "npm run release:pin -- --stack production < images.json",
  },
  "pulumi config set --path 'release.gateway-api.image' registry.example/gateway-api@sha256:... --stack staging": {
    staging:
      "pulumi config set --path 'release.gateway-api.image' registry.example/gateway-api@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "pulumi config set --path edge.image registry.example/edge-sockets@sha256:... --stack staging": {
    staging:
      "pulumi config set --path edge.image registry.example/edge-sockets@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "pulumi config set application autollm --stack staging": { staging: true },
  "pulumi config set --path 'release.portfolio-ledger.image' registry.example/portfolio-ledger@sha256:... --stack staging":
    {
      staging:
        "pulumi config set --path 'release.portfolio-ledger.image' registry.example/portfolio-ledger@sha256:$(openssl rand -hex 32) --stack staging",
    },
  "pulumi config set --path 'release.gateway-api.environment.AUTH' '{\"jwt_secret\":\"${credential:jwt}\"}' --stack staging":
    { staging: true },
  "pulumi config set --path backup.image IMAGE@sha256:... --stack staging": {
    staging:
      "pulumi config set --path backup.image registry.example/backup@sha256:$(openssl rand -hex 32) --stack staging",
  },
  "npm run preview -- --stack staging": { staging: true },
  "pulumi preview --stack staging --policy-pack policies": { staging: true },
  "pulumi preview": { staging: "pulumi preview --stack staging" },
  "npm run promote": { staging: "npm run promote -- --yes" },
  "pulumi config set --secret pagerduty-key": { staging: secret("pagerduty-key") },
  "pulumi config set --secret slack-webhook": {
    staging:
      'echo "https://hooks.example/$(openssl rand -hex 16)" | pulumi config set --secret slack-webhook --stack staging',
  },
  "pulumi config set --path host.port 2222": { staging: "pulumi config set --path host.port 2222 --stack staging" },
  "pulumi config set --path 'host.privateDestinations[0]' 10.1.0.0/16": {
    staging: "pulumi config set --path 'host.privateDestinations[0]' 10.1.0.0/16 --stack staging",
  },
  "pulumi config set --path 'host.privateDestinations[1].network' 10.2.0.7 && pulumi config set --path 'host.privateDestinations[1].ports[0]' 5432":
    {
      staging:
        "pulumi config set --path 'host.privateDestinations[1].network' 10.2.0.7 --stack staging && pulumi config set --path 'host.privateDestinations[1].ports[0]' 5432 --stack staging",
    },
  "pulumi config set --path 'host.deployerKeys[0]' \"$(cat ~/.ssh/autollm-new.pub)\"": KEY_CHANGE,
  "pulumi config set --path 'host.deployerKeys[0]' \"$(cat ~/.ssh/autollm-old.pub)\"": KEY_CHANGE,
  "pulumi config set --path host.privateKeyPath '~/.ssh/autollm-new'": KEY_CHANGE,
  "pulumi config rm --path 'host.deployerKeys[0]'": KEY_CHANGE,
  "npm run pulumi -- config set --path 'domains[\"trade.example.org\"].key' --secret --stack staging < key.pem":
    DOMAINS,
  "npm run pulumi -- config set --path 'domains[\"trade.example.org\"].certificate' --stack staging < certificate.pem":
    DOMAINS,
  "npm run pulumi -- config set --path 'domains[\"api.example.org\"]' '{}' --stack staging": DOMAINS,
  "npm run pulumi -- config set --path 'registries[\"ghcr.io\"].user' robot --stack staging": REGISTRIES,
  "npm run pulumi -- config set --secret --path 'registries[\"ghcr.io\"].password' --stack staging": REGISTRIES,
  "npm run scan -- images --stack staging": REGISTRIES,
  "pulumi stack export": { staging: "pulumi stack export --stack staging --file exported.json" },
  "pulumi stack import": { staging: "pulumi stack import --stack staging --file exported.json" },
  "npm run up -- --stack staging": SERVER,
  "npm run smoke -- https://staging.example.com": SERVER,
  "npm run smoke -- URL --application acme": SERVER,
  "curl -v https://DOMAIN/health": SERVER,
  "pulumi config set --path backup.s3 s3:https://s3.example.com/bucket --stack production": STORAGE,
  "pulumi config set --secret s3-access-key --stack production": STORAGE,
  "pulumi config set --secret s3-secret-key --stack production": STORAGE,
  "pulumi state unprotect URN": { seenIn: "test/e2e/backup.test.ts" },
  "pulumi destroy": { seenIn: "test/e2e/host-access.test.ts" },

  // The repository's own.
  "npm run hooks": true,
  "npm run format": true,
  "npm run lint:workflows": true,
  "npm run scan -- secrets": true,
  "npx vitest run --project unit commands-table -u": CI,
  "npx vitest run --project unit release": CI,
  "npm test": CI,
  "npm run e2e": CI,
  "npm run bench": BY_HAND,
  "npm run bench -- --write": BY_HAND,
  "npm run bench -- --compare 001f07f --rounds 3": BY_HAND,
  "npx node tools/engine/main.ts": true,
  "npx node tools/images/main.ts [NAME...]": "npx node tools/images/main.ts reference",
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

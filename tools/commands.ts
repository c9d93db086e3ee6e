import type { Command } from "./lib/command.ts";

/** What one does with the commands, in the order of the help. */
export const groups = {
  run: "a stack: start, inspect, remove",
  release: "the program and its images",
  data: "backups, imports and reports",
  credentials: "passwords and keys",
  safety: "when something is wrong, or must not go wrong",
  repository: "for developers of this repository, and for its workflows",
} as const;

export type Group = keyof typeof groups;

/** An entry of the table: what the help, the README and the shells' completion say of a command. Its options are its module's. */
export interface Entry {
  readonly group: Group;
  /** One line. */
  readonly summary: string;
  /** The page that explains it. */
  readonly page?: string;
  /** Loads its module: a command waits for no other's. */
  readonly load: () => Promise<Command>;
}

/** Every command of `./autollm`, in the order of the help. */
export const commands = {
  up: {
    group: "run",
    summary: "start a stack, or update it to what its config says",
    load: async () => (await import("./cli/up.ts")).upCommand,
  },
  preview: {
    group: "run",
    summary: "what `up` would change, with the policies' verdict",
    load: async () => (await import("./cli/preview.ts")).previewCommand,
  },
  status: {
    group: "run",
    summary: "what runs, what is wrong and what is due",
    page: "docs/operations.md#status",
    load: async () => (await import("./cli/status.ts")).statusCommand,
  },
  down: {
    group: "run",
    summary: "remove a stack of this machine, and its data",
    load: async () => (await import("./cli/down.ts")).downCommand,
  },
  move: {
    group: "run",
    summary: "move a stack to another host, with a short stop",
    page: "docs/move.md",
    load: async () => (await import("./cli/move.ts")).moveCommand,
  },
  pulumi: {
    group: "run",
    summary: "any Pulumi command, such as `config set --secret openai`",
    load: async () => (await import("./cli/pulumi.ts")).pulumiCommand,
  },
  deploy: {
    group: "release",
    summary: "backup, up, smoke tests; rollback on failure",
    page: "docs/operations.md#day-2",
    load: async () => (await import("./cli/deploy.ts")).deployCommand,
  },
  rollback: {
    group: "release",
    summary: "go back to the images of the last good deployment",
    page: "docs/operations.md#rollback",
    load: async () => (await import("./cli/rollback.ts")).rollbackCommand,
  },
  promote: {
    group: "release",
    summary: "copy staging's images into production's config",
    load: async () => (await import("./cli/promote.ts")).promoteCommand,
  },
  pin: {
    group: "release",
    summary: "write images into a stack's config, by digest",
    load: async () => (await import("./github/pinRelease.ts")).pinCommand,
  },
  "check-image": {
    group: "release",
    summary: "whether an image of yours would run as a service",
    page: "docs/check-image.md",
    load: async () => (await import("./cli/check-image.ts")).checkImageCommand,
  },
  backup: {
    group: "data",
    summary: "make a backup now, list them, test the newest",
    page: "docs/backup.md",
    load: async () => (await import("./cli/backup.ts")).backupCommand,
  },
  restore: {
    group: "data",
    summary: "replace a stack's data with a backup",
    page: "docs/backup.md",
    load: async () => (await import("./cli/restore.ts")).restoreCommand,
  },
  upgrade: {
    group: "data",
    summary: "bring Postgres's data to another major version",
    page: "docs/backup.md#another-major-version-of-a-store",
    load: async () => (await import("./cli/upgrade.ts")).upgradeCommand,
  },
  "recovery-kit": {
    group: "data",
    summary: "what a recovery needs besides the backups, for your safe",
    page: "docs/disaster.md",
    load: async () => (await import("./cli/recovery-kit.ts")).recoveryKitCommand,
  },
  import: {
    group: "data",
    summary: "take over an old installation: its secrets, its data",
    page: "docs/from-bash-installer.md",
    load: async () => (await import("./cli/import.ts")).importCommand,
  },
  dashboards: {
    group: "data",
    summary: "each dashboard as a page with its data, for a report",
    page: "docs/observability.md",
    load: async () => (await import("./cli/dashboards.ts")).dashboardsCommand,
  },
  backtest: {
    group: "data",
    summary: "run the backtest engine once, to its end",
    load: async () => (await import("./cli/backtest.ts")).backtestCommand,
  },
  rotate: {
    group: "credentials",
    summary: "replace credentials without an outage",
    page: "docs/rotation.md",
    load: async () => (await import("./cli/rotate.ts")).rotateCommand,
  },
  "kill-switch": {
    group: "safety",
    summary: "stop all order execution within two seconds",
    page: "docs/operations.md#kill-switch",
    load: async () => (await import("./cli/kill-switch.ts")).killSwitchCommand,
  },
  drift: {
    group: "safety",
    summary: "what differs from what was declared",
    page: "docs/host.md",
    load: async () => (await import("./cli/drift.ts")).driftCommand,
  },
  smoke: {
    group: "safety",
    summary: "whether a stack answers, and is closed where it must be",
    load: async () => (await import("./cli/smoke.ts")).smokeCommand,
  },
  unlock: {
    group: "safety",
    summary: "who is changing a stack; removes a dead holder's lock",
    page: "docs/operations.md#two-at-once",
    load: async () => (await import("./cli/unlock.ts")).unlockCommand,
  },
  e2e: {
    group: "repository",
    summary: "the end-to-end tests, on stacks of their own",
    load: async () => (await import("./cli/e2e.ts")).e2eCommand,
  },
  bench: {
    group: "repository",
    summary: "how long each thing takes on your machine",
    page: "docs/performance.md",
    load: async () => (await import("./bench/bench.ts")).benchCommand,
  },
  scan: {
    group: "repository",
    summary: "secrets, packages, config and images for known faults",
    load: async () => (await import("./cli/scan.ts")).scanCommand,
  },
  "config-secrets": {
    group: "repository",
    summary: "find secrets in plain text in stacks' files",
    load: async () => (await import("./cli/config-secrets.ts")).configSecretsCommand,
  },
  "lint-workflows": {
    group: "repository",
    summary: "check .github for syntax and security",
    load: async () => (await import("./github/lint.ts")).lintWorkflowsCommand,
  },
  "preview-comment": {
    group: "repository",
    summary: "a pull request's comment from its previews",
    load: async () => (await import("./github/previewComment.ts")).previewCommentCommand,
  },
  "raise-generations": {
    group: "repository",
    summary: "raise what is due in a stack's file, for review",
    load: async () => (await import("./github/raiseGenerations.ts")).raiseGenerationsCommand,
  },
  notify: {
    group: "repository",
    summary: "send a message to Slack",
    load: async () => (await import("./cli/notify.ts")).notifyCommand,
  },
  screenshots: {
    group: "repository",
    summary: "README's pictures, of a running stack",
    load: async () => (await import("./docs/screenshots.ts")).screenshotsCommand,
  },
  completion: {
    group: "repository",
    summary: "completion of these commands for bash or zsh",
    load: async () => (await import("./cli/completion.ts")).completionCommand,
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type CommandName = keyof typeof commands;

/** The table, with the keys that only some entries have. */
export const entries = Object.entries(commands) as readonly (readonly [CommandName, Entry])[];

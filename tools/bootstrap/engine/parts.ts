/** One binary of the built engine. */
export interface EnginePart {
  /** The binary's name, which the CLI looks for. */
  readonly name: string;
  /** Go package, below this module or from another one. */
  readonly package: string;
  /** How long a cold build takes on two cores, so that the operator who waits knows. */
  readonly expectation: string;
  /** Folders below `go/` whose change means another binary. */
  readonly sources: readonly string[];
  /** For a provider: the plugin's name, and the Go variable that holds its version. */
  readonly plugin?: { readonly name: string; readonly versionVariable: string };
  /** For a bridged provider: the program that writes its schema first. */
  readonly schema?: string;
}

/** Version of the CLI that is built if the official one is unavailable; one that package.json's `engines` allows. */
export const CLI_VERSION = "3.259.0";

const versionVariable = (name: string) => `autollm.local/engine/version.${name}`;

const bridged = (name: string, variable: string, expectation: string): EnginePart => ({
  name: `pulumi-resource-${name}`,
  package: `./cmd/pulumi-resource-${name}`,
  expectation,
  sources: [`provider/${name}`, `shim/${name}`, `cmd/pulumi-resource-${name}`, `cmd/pulumi-tfgen-${name}`, "version"],
  plugin: { name, versionVariable: versionVariable(variable) },
  schema: `./cmd/pulumi-tfgen-${name}`,
});

/** The whole engine, in the order in which it is built. */
export const engineParts: readonly EnginePart[] = [
  {
    name: "pulumi",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    expectation: "about 4 minutes the first time",
    sources: [],
  },
  {
    name: "pulumi-language-nodejs",
    package: "./cmd/pulumi-language-nodejs",
    expectation: "seconds",
    sources: ["langhost", "cmd/pulumi-language-nodejs"],
  },
  bridged("random", "Random", "about 2 minutes the first time"),
  bridged("tls", "TLS", "about half a minute"),
  bridged("docker", "Docker", "about a minute"),
  {
    name: "pulumi-resource-command",
    package: "./cmd/pulumi-resource-command",
    expectation: "about half a minute",
    sources: ["command", "cmd/pulumi-resource-command", "version"],
    plugin: { name: "command", versionVariable: versionVariable("Command") },
  },
];

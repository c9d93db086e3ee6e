import { stringify } from "yaml";

const CORE = "go.opentelemetry.io/collector";
const CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib";

/** The components of the official contrib distribution that the platform uses. */
const COMPONENTS = {
  receivers: [`${CORE}/receiver/otlpreceiver`, `${CONTRIB}/receiver/filelogreceiver`],
  processors: [
    `${CORE}/processor/batchprocessor`,
    `${CORE}/processor/memorylimiterprocessor`,
    `${CONTRIB}/processor/tailsamplingprocessor`,
    `${CONTRIB}/processor/attributesprocessor`,
    `${CONTRIB}/processor/resourceprocessor`,
    `${CONTRIB}/processor/transformprocessor`,
    `${CONTRIB}/processor/filterprocessor`,
    `${CONTRIB}/processor/redactionprocessor`,
    `${CONTRIB}/processor/resourcedetectionprocessor`,
  ],
  exporters: [
    `${CORE}/exporter/otlpexporter`,
    `${CORE}/exporter/otlphttpexporter`,
    `${CORE}/exporter/debugexporter`,
    `${CONTRIB}/exporter/prometheusexporter`,
  ],
  connectors: [`${CORE}/connector/forwardconnector`, `${CONTRIB}/connector/spanmetricsconnector`],
  extensions: [`${CONTRIB}/extension/storage/filestorage`, `${CONTRIB}/extension/healthcheckextension`],
};

/** The configuration of OpenTelemetry's collector builder. */
export function collectorManifest(version: string): string {
  const modules = Object.entries(COMPONENTS).map(([kind, names]) => [
    kind,
    names.map((name) => ({ gomod: `${name} ${version}` })),
  ]);
  // The stable half of the collector counts its versions from 1: 0.158 goes with 1.64.
  const provider = (name: string) => ({
    gomod: `${CORE}/confmap/provider/${name} v1.${Number(version.split(".")[1]) - 94}.0`,
  });
  const manifest = {
    dist: {
      name: "otelcol-contrib",
      description: "OpenTelemetry Collector with the components that the platform uses",
      version: version.slice(1),
      output_path: ".",
    },
    ...Object.fromEntries(modules),
    providers: [provider("envprovider"), provider("fileprovider"), provider("yamlprovider")],
  };
  // The builder reads a module and its version from one line.
  return stringify(manifest, { lineWidth: 0 });
}

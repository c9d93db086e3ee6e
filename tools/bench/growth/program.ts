import "../../../components/plainStackTraces.ts";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { DEFAULT_RANGE, RANGE_BITS } from "../../../components/networkRange.ts";
import { Segments } from "../../../components/runtime/segments.ts";
import { Workload, type Workloads } from "../../../components/runtime/workload.ts";
import { idle } from "./idle.ts";

/** As many workloads as the config says, each hardened as all are, that do nothing: what is measured is the stack, not its load. */
const config = new pulumi.Config("growth");
const provider = new docker.Provider("docker", { host: config.require("dockerHost") });
const target = {
  docker: provider,
  dockerSocket: config.require("dockerHost"),
  filesDir: config.require("filesDir"),
  environment: "local",
  // As `./autollm up` sets it where Docker is older, so that the daemon makes no difference to the comparison.
  healthInterval: 5,
  labels: { "autollm.environment": "local", "autollm.stack": pulumi.getStack() },
};
const segments = new Segments("segments", {
  provider,
  range: DEFAULT_RANGE,
  specs: [{ name: "scrape", internal: true, purpose: "all of them", offset: 0, bits: RANGE_BITS }],
});
const reference = config.require("image");
const image = new docker.RemoteImage("image", { name: reference, keepLocally: true }, { provider });
const workloads: Workloads = new Map();
const digestKey = new random.RandomBytes("digest-key", { length: 32 }).hex;

for (let number = 0; number < config.requireNumber("services"); number++) {
  new Workload(`idle-${number}`, {
    target,
    segments,
    digestKey,
    workloads,
    spec: {
      ...idle(number),
      image: { id: image.imageId, reference },
      segments: ["scrape"],
      serves: ["scrape"],
      deploy: "recreate",
    },
  });
}

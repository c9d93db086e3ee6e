import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { toPolicies } from "../../policies/lib/pack.ts";
import { rules } from "../../policies/rules/index.ts";
import { container } from "./fixtures.ts";

const require = createRequire(import.meta.url);
const { Struct } = require("google-protobuf/google/protobuf/struct_pb.js") as {
  Struct: { fromJavaScript(value: object): { toJavaScript(): object } };
};
interface Request {
  setType(type: string): void;
  setName(name: string): void;
  setUrn(urn: string): void;
  setProperties(properties: object): void;
  setOptions(options: object): void;
}
const { AnalyzeRequest, AnalyzerResourceOptions } = require("@pulumi/pulumi/proto/analyzer_pb.js") as {
  AnalyzeRequest: new () => Request;
  AnalyzerResourceOptions: new () => object;
};
const { makeAnalyzeRpcFun } = require("@pulumi/policy/server") as {
  makeAnalyzeRpcFun(
    ...pack: readonly unknown[]
  ): (
    call: object,
    answer: (error: unknown, response: { getDiagnosticsList(): { getMessage(): string }[] }) => void,
  ) => void;
};

test("the SDK decodes a resource once for all rules, and each rule sees it", async () => {
  const { type, name, urn, props } = container();
  const struct = Struct.fromJavaScript(JSON.parse(JSON.stringify({ ...props, privileged: true })) as object);
  let decoded = 0;
  const decode = struct.toJavaScript.bind(struct);
  struct.toJavaScript = () => {
    decoded += 1;
    return decode();
  };
  const request = new AnalyzeRequest();
  request.setType(type);
  request.setName(name);
  request.setUrn(urn);
  request.setProperties(struct);
  request.setOptions(new AnalyzerResourceOptions());
  const analyze = makeAnalyzeRpcFun("autollm", "0.1.0", "mandatory", toPolicies(rules));
  const messages = await new Promise<string[]>((resolve, reject) =>
    analyze({ request }, (error, response) =>
      error === null || error === undefined
        ? resolve(response.getDiagnosticsList().map((each) => each.getMessage()))
        : reject(error),
    ),
  );
  expect(messages.join("\n")).toMatch(/privileged/);
  expect(decoded).toBe(1);
});

import { stringify } from "yaml";
import { riskLimits } from "../riskLimits.ts";
import type { Application } from "./application.ts";

/** An application that was written for this platform: it reads the names that environment.ts sets, and starts with its image's own command. */
export const conventions: Application = {
  purpose: "an application that follows the platform's own names of settings and files",
  services: {},
  smoke: { token: { path: "/api/positions", expected: [401, 403] } },
  files: ({ symbols }) => ({
    "symbols.yaml": stringify({ symbols }),
    "risk.yaml": stringify(riskLimits),
    "feeds.yaml": stringify({ bars_interval_seconds: 5, news_interval_seconds: 60 }),
  }),
};

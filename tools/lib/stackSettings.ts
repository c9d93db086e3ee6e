import { checkConfig, type Settings } from "../../components/settings.ts";
import type { Workspace } from "./workspace.ts";

/** A stack's settings, as the program would read them. Secrets are not decrypted. */
export async function settingsOf(workspace: Workspace): Promise<Settings> {
  const { stdout } = await workspace.pulumi(["config", "--json", "--stack", workspace.stack]);
  const config = JSON.parse(stdout) as Record<string, { value?: string; objectValue?: unknown; secret: boolean }>;
  const texts = Object.entries(config).map(
    ([key, { value, objectValue }]) => [key, objectValue === undefined ? value : JSON.stringify(objectValue)] as const,
  );
  const secret = Object.keys(config).filter((key) => config[key]?.secret === true);
  return checkConfig(Object.fromEntries(texts), new Set(secret), workspace.stack).settings;
}

import { existsSync } from "node:fs";
import { buildsDebian } from "../bootstrap/images/base.ts";
import { apt } from "./apt.ts";
import { step } from "./log.ts";
import { which } from "./run.ts";

/** The emulator of this project's virtual machines. */
export const QEMU = "qemu-system-x86_64";
const INSTALL = ["install", "--yes", "--no-install-recommends", "qemu-system-x86", "e2fsprogs", "iproute2"];

/** Why no virtual machine can be run here; undefined where one can. QEMU is installed where that is allowed. */
export async function machineFault({ install }: { readonly install: boolean }): Promise<string | undefined> {
  if (!buildsDebian()) return "it needs Debian and root";
  if (process.arch !== "x64") return "it needs a processor of the kind x86-64";
  if (!existsSync("/dev/net/tun")) return "it needs /dev/net/tun, for the virtual machine's network card";
  if ((await which(QEMU)) !== undefined && (await which("mke2fs")) !== undefined) return undefined;
  if (!install) return `it needs QEMU: add --install, or run "apt-get ${INSTALL.join(" ")}"`;
  await step("installing QEMU", "under 2 minutes", async () => {
    await apt(["update"]);
    await apt(INSTALL);
  });
  return undefined;
}

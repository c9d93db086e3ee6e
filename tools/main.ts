import { enableCompileCache } from "node:module";
import { type CommandName, commands } from "./commands.ts";
import { USAGE } from "./lib/exitCodes.ts";
import { say } from "./lib/log.ts";

const isCommand = (word: string): word is CommandName => Object.hasOwn(commands, word);

/** Starts take a third of the time once Node finds the program compiled. Where it cannot be kept, they take longer. */
async function keepCompiled(): Promise<void> {
  const { cacheDir } = await import("./lib/cache.ts");
  try {
    enableCompileCache(cacheDir("node"));
  } catch {
    // A full disk, or a home that cannot be written to.
  }
}

/** Runs `./autollm` with these words. */
export async function runCommand([word = "", ...words]: readonly string[]): Promise<void> {
  await keepCompiled();
  if (["--help", "-h", "help", ""].includes(word)) {
    const [about] = words;
    if (about !== undefined && isCommand(about)) {
      process.stdout.write(`${(await commands[about].load()).help(`./autollm ${about}`)}\n`);
      return;
    }
    const { overview } = await import("./docs/commands.ts");
    if (word === "") say(overview());
    else process.stdout.write(`${overview()}\n`);
    if (word === "") process.exitCode = USAGE;
    return;
  }
  if (isCommand(word)) return (await commands[word].load()).run(`./autollm ${word}`, words);
  const { closest } = await import("../components/closest.ts");
  const near = closest(word, Object.keys(commands));
  say(
    `error: there is no command ${word}${near === undefined ? "" : `; did you mean ${near}?`}\n\n./autollm --help names them.`,
  );
  process.exitCode = USAGE;
}

/** The exit codes of every command, and what they say. */
export const EXIT_CODES = {
  0: "done, and all is well",
  1: "it failed, or could not look",
  2: "it looked, and something differs, is wrong or is due",
  64: "wrong usage",
} as const;

/** Exit code that says "looked, and it differs". */
export const DIFFERS = 2;
/** Exit code of a wrong command line (sysexits.h, EX_USAGE). */
export const USAGE = 64;

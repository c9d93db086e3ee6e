/** The first words of every service's command line: the start wrapper, which becomes the program. */
export const WRAPPED = ["/bin/sh", "/run/autollm/start.sh"] as const;

import { isIPv4, isIPv6 } from "node:net";

/** At most this many attempts within that time. */
export interface Window {
  readonly most: number;
  readonly seconds: number;
}

export interface AttemptKind {
  readonly windows: readonly Window[];
  /** Whether an attempt that turned out right is given back, so that wrong ones alone count. */
  readonly givenBack: boolean;
  /** Whether it is counted in Redis, for all limiters together. Default: in the memory of this process. */
  readonly shared?: true;
}

/** More than a person mistypes; an hour's guesses of one client are far below what any password takes. */
const guesses: readonly Window[] = [
  { most: 10, seconds: 60 },
  { most: 60, seconds: 3600 },
];

/** What the edge asks before anything is computed of a request, a password or a token. */
export const attemptKinds: Readonly<Record<string, AttemptKind>> = {
  /** A request to a service, whatever it holds (docs/requirements.md: 100 a minute per client, backed by Redis). */
  request: { windows: [{ most: 100, seconds: 60 }], givenBack: false, shared: true },
  /** The edge's own login, before bcrypt. Each request carries it, so the right ones must not count. */
  "admin-login": { windows: guesses, givenBack: true },
  /** Grafana's login form. Its answer says whether it was right, and nobody logs in ten times within a minute. */
  "grafana-login": { windows: guesses, givenBack: false },
  /** A password or token of Grafana's API, which costs it a slow hash each time: five a second, for programs; its pages have a session. */
  "grafana-token": { windows: [{ most: 300, seconds: 60 }], givenBack: false },
};

/** How long an attempt may be under way before it counts as wrong: longer than bcrypt takes on a busy machine. */
const PENDING_MS = 2000;
/** Attempts of one client that may wait for others of it which are under way. */
const MOST_WAITING = 50;
/** Clients that are remembered; past that the one that came first is forgotten. */
const MOST_CLIENTS = 20_000;

/** The first 64 bits of an IPv6 address: one customer's share, within which it may take any address (RFC 6177). */
function prefix64(address: string): string {
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const groups = (text: string | undefined) => (text === undefined || text === "" ? [] : text.split(":"));
  const [first, last] = [groups(head), groups(tail)];
  const missing = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(missing).fill("0"), ...last]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

/** Whom an address stands for; undefined for what is no address. */
export function clientOf(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (isIPv4(plain)) return plain;
  return isIPv6(plain) && !plain.includes(".") ? `${prefix64(plain)}::/64` : undefined;
}

interface Client {
  /** When its attempts were made that count, oldest first. */
  readonly times: number[];
  readonly waiting: (() => void)[];
}

/** Ends when somebody calls what it puts into `waiting`, or after that time. */
function wokenOrAfter(waiting: (() => void)[], milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      const place = waiting.indexOf(wake);
      if (place >= 0) waiting.splice(place, 1);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    waiting.push(wake);
  });
}

/** Counts the attempts of each client in sliding windows, in the memory of this process. */
export class Attempts {
  readonly #kind: AttemptKind;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();

  constructor(kind: AttemptKind, now: () => number = Date.now) {
    this.#kind = kind;
    this.#now = now;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /**
   * Takes an attempt, or answers the seconds after which one may be made; 0 when it was taken. Where right attempts are given
   * back, it first waits a moment for those that are under way: a page that loads its parts at once must not refuse itself.
   */
  async take(client: string): Promise<number> {
    const deadline = this.#now() + PENDING_MS;
    for (;;) {
      const now = this.#now();
      const record = this.#record(client);
      const wait = this.#wait(record, now);
      if (wait === 0) {
        record.times.push(now);
        return 0;
      }
      const underWay = (record.times.at(-1) ?? 0) > now - PENDING_MS;
      const patient = this.#kind.givenBack && underWay && now < deadline && record.waiting.length < MOST_WAITING;
      if (!patient) return Math.ceil(wait / 1000);
      await wokenOrAfter(record.waiting, deadline - now);
    }
  }

  /** The newest attempt turned out right. */
  giveBack(client: string): void {
    const record = this.#clients.get(client);
    if (record === undefined || !this.#kind.givenBack) return;
    record.times.pop();
    record.waiting[0]?.();
    if (record.times.length === 0 && record.waiting.length === 0) this.#clients.delete(client);
  }

  #record(client: string): Client {
    const known = this.#clients.get(client);
    if (known !== undefined) return known;
    const [oldest] = this.#clients.keys();
    if (this.#clients.size >= MOST_CLIENTS && oldest !== undefined) this.#clients.delete(oldest);
    const record = { times: [], waiting: [] };
    this.#clients.set(client, record);
    return record;
  }

  /** Milliseconds until a window has room; drops what no window counts any more. */
  #wait({ times }: Client, now: number): number {
    const longest = Math.max(...this.#kind.windows.map(({ seconds }) => seconds)) * 1000;
    while ((times[0] ?? now) <= now - longest) times.shift();
    return Math.max(
      ...this.#kind.windows.map(({ most, seconds }) => {
        // The one that has to leave the window first.
        const last = times.at(-most);
        return last === undefined ? 0 : Math.max(0, last + seconds * 1000 - now);
      }),
    );
  }
}

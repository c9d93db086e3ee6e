import type { Recording } from "./alert.ts";

/** 1 while the market is open, else 0. */
export const MARKET_OPEN = "market:open";
/** Whole days until the calendar ends. */
export const CALENDAR_DAYS_LEFT = "market:calendar_days_left";

/** A market's sessions. Dates are `YYYY-MM-DD`, and a session lies within one day of UTC. */
export interface MarketCalendar {
  /** First and last day that the table covers; outside of it the market counts as closed. */
  readonly from: string;
  readonly to: string;
  /** Minutes after midnight, local standard time's UTC. */
  readonly openMinute: number;
  readonly closeMinute: number;
  readonly earlyCloseMinute: number;
  /** Days without a session. */
  readonly holidays: readonly string[];
  /** Days that end early. */
  readonly earlyCloses: readonly string[];
  /** First and last day of each daylight saving time, when everything is an hour earlier in UTC. */
  readonly summerTimes: readonly (readonly [from: string, to: string])[];
}

/** The New York Stock Exchange, as its own calendar says (nyse.com/markets/hours-calendars). Add a year when one has passed. */
export const nyse: MarketCalendar = {
  from: "2026-01-01",
  to: "2028-12-31",
  openMinute: 14 * 60 + 30,
  closeMinute: 21 * 60,
  earlyCloseMinute: 18 * 60,
  holidays: [
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-04-03",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-09-07",
    "2026-11-26",
    "2026-12-25",
    "2027-01-01",
    "2027-01-18",
    "2027-02-15",
    "2027-03-26",
    "2027-05-31",
    "2027-06-18",
    "2027-07-05",
    "2027-09-06",
    "2027-11-25",
    "2027-12-24",
    "2028-01-17",
    "2028-02-21",
    "2028-04-14",
    "2028-05-29",
    "2028-06-19",
    "2028-07-04",
    "2028-09-04",
    "2028-11-23",
    "2028-12-25",
  ],
  earlyCloses: ["2026-11-27", "2026-12-24", "2027-11-26", "2028-07-03", "2028-11-24"],
  summerTimes: [
    ["2026-03-08", "2026-10-31"],
    ["2027-03-14", "2027-11-06"],
    ["2028-03-12", "2028-11-04"],
  ],
};

/** A date as a number that grows with it, which PromQL can compare: 2026-12-25 is 20261225. */
const number = (date: string): number => Number(date.replaceAll("-", ""));
/** The evaluation's own day of UTC, in the same form. */
const TODAY = "(year() * 10000 + month() * 100 + day_of_month())";
const SUMMER_MINUTES = 60;

/** 1 on one of the days, else 0. */
const isOneOf = (days: readonly string[]) =>
  days.length === 0 ? "vector(0)" : `(${days.map((day) => `(${TODAY} == bool ${number(day)})`).join(" + ")})`;

/** 1 while the market is open, else 0: the clock's UTC against the calendar, since PromQL knows no time zones. */
export function marketOpenExpression(calendar: MarketCalendar): string {
  const summer = calendar.summerTimes
    .map(([from, to]) => `((${TODAY} >= bool ${number(from)}) * (${TODAY} <= bool ${number(to)}))`)
    .join(" + ");
  // Minutes after midnight as they would be in standard time.
  const minute = `(hour() * 60 + minute() + ${SUMMER_MINUTES} * (${summer === "" ? "vector(0)" : summer}))`;
  const close = `(${calendar.closeMinute} - ${calendar.closeMinute - calendar.earlyCloseMinute} * ${isOneOf(calendar.earlyCloses)})`;
  return [
    `(day_of_week() >= bool 1)`,
    `(day_of_week() <= bool 5)`,
    `(${TODAY} >= bool ${number(calendar.from)})`,
    `(${TODAY} <= bool ${number(calendar.to)})`,
    `(1 - ${isOneOf(calendar.holidays)})`,
    `(${minute} >= bool ${calendar.openMinute})`,
    `(${minute} < bool ${close})`,
  ].join(" * ");
}

/** The calendar as recording rules. */
export function marketRecordings(calendar: MarketCalendar): readonly Recording[] {
  const end = Date.parse(`${calendar.to}T23:59:59Z`) / 1000;
  return [
    { record: MARKET_OPEN, expr: marketOpenExpression(calendar) },
    { record: CALENDAR_DAYS_LEFT, expr: `floor((${end} - vector(time())) / 86400)` },
  ];
}

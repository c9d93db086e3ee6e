import { describe, expect, test } from "vitest";
import { marketOpenExpression, nyse } from "../../../components/observability/alerts/market.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const years = [2026, 2027, 2028];

const iso = (date: Date) => date.toISOString().slice(0, 10);
const date = (year: number, month: number, day: number) => new Date(Date.UTC(year, month - 1, day));
/** The n-th weekday of a month; -1 is the last. */
function nth(year: number, month: number, weekday: number, n: number): Date {
  const days = Array.from({ length: 31 }, (_, index) => date(year, month, index + 1)).filter(
    (day) => day.getUTCMonth() === month - 1 && day.getUTCDay() === weekday,
  );
  return days.at(n < 0 ? n : n - 1) ?? date(year, month, 1);
}
/** Easter Sunday, by Butcher's reckoning. */
function easter(year: number): Date {
  const a = year % 19;
  const [b, c] = [Math.floor(year / 100), year % 100];
  const h = (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const day = h + l - 7 * m + 114;
  return date(year, Math.floor(day / 31), (day % 31) + 1);
}
/** A holiday on a Saturday is kept on the Friday before, on a Sunday on the Monday after. */
function observed(day: Date): Date {
  const shift = day.getUTCDay() === 6 ? -1 : day.getUTCDay() === 0 ? 1 : 0;
  return new Date(day.getTime() + shift * DAY_MS);
}
/** The exchange's rule 7.2; a New Year's Day on a Saturday is not kept. */
function holidays(year: number): string[] {
  const newYear = date(year, 1, 1);
  return [
    ...(newYear.getUTCDay() === 6 ? [] : [observed(newYear)]),
    nth(year, 1, 1, 3),
    nth(year, 2, 1, 3),
    new Date(easter(year).getTime() - 2 * DAY_MS),
    nth(year, 5, 1, -1),
    observed(date(year, 6, 19)),
    observed(date(year, 7, 4)),
    nth(year, 9, 1, 1),
    nth(year, 11, 4, 4),
    observed(date(year, 12, 25)),
  ].map(iso);
}
/** Hours that New York is behind UTC at its opening bell. */
function behind(day: string): number {
  const noon = new Date(`${day}T14:30:00Z`);
  const hour = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", hour: "2-digit" }).format(noon);
  return 14 - Number(hour);
}

describe("the New York Stock Exchange's calendar", () => {
  test.each(years)("has the holidays of %d by the exchange's own rules", (year) => {
    expect(nyse.holidays.filter((day) => day.startsWith(String(year)))).toEqual(holidays(year));
  });

  test("closes early only on days with a session", () => {
    for (const day of nyse.earlyCloses) {
      expect(nyse.holidays).not.toContain(day);
      expect([1, 2, 3, 4, 5]).toContain(new Date(day).getUTCDay());
    }
  });

  test("has summer time on the days on which New York has it", () => {
    for (let time = Date.parse(nyse.from); time <= Date.parse(nyse.to); time += DAY_MS) {
      const day = iso(new Date(time));
      const summer = nyse.summerTimes.some(([from, to]) => from <= day && day <= to);
      // Both days of a change are Sundays, without a session.
      if (new Date(time).getUTCDay() !== 0) expect([day, behind(day)]).toEqual([day, summer ? 4 : 5]);
    }
  });

  test("becomes one expression over the clock alone", () => {
    expect(marketOpenExpression(nyse)).not.toMatch(/\{|\[/);
    expect(marketOpenExpression(nyse)).toContain("20261225");
  });
});

/** Ranges of time, their buckets, and how times are written. Local to whoever looks. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const RANGES = {
  "1h": { name: "Last hour", short: "1 h", before: "the hour before", granularity: "minute", buckets: 60 },
  "24h": { name: "Last 24 hours", short: "24 h", before: "the 24 hours before", granularity: "hour", buckets: 24 },
  "7d": { name: "Last 7 days", short: "7 d", before: "the 7 days before", granularity: "hour", buckets: 168 },
  "30d": { name: "Last 30 days", short: "30 d", before: "the 30 days before", granularity: "day", buckets: 30 },
};

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/**
 * The whole buckets that end with the one of now, and as much of what came before them:
 * `before.to` lies as far into its last bucket as now does, so that like is compared with like.
 */
export function windowOf(range, now) {
  const { granularity, buckets } = RANGES[range];
  if (granularity === "day") {
    const today = new Date(now).setHours(0, 0, 0, 0);
    const before = { from: daysFrom(today, 1 - 2 * buckets), to: daysFrom(now, -buckets) };
    return { from: daysFrom(today, 1 - buckets), to: daysFrom(today, 1), before };
  }
  const length = granularity === "hour" ? HOUR : MINUTE;
  const floor = new Date(now);
  if (granularity === "hour") floor.setMinutes(0, 0, 0);
  else floor.setSeconds(0, 0);
  const from = floor.getTime() - (buckets - 1) * length;
  return { from, to: floor.getTime() + length, before: { from: from - buckets * length, to: now - buckets * length } };
}

/** The same time of day, some days on; a day that a clock change makes longer or shorter is one day. */
function daysFrom(time, days) {
  const date = new Date(time);
  return date.setDate(date.getDate() + days);
}

export const iso = (milliseconds) => new Date(milliseconds).toISOString();

const format = (options) => {
  const writer = new Intl.DateTimeFormat("en", { hourCycle: "h23", ...options });
  return (time) => writer.format(new Date(time));
};

export const clock = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const minute = format({ hour: "2-digit", minute: "2-digit" });
export const day = format({ month: "short", day: "numeric" });
export const date = format({ year: "numeric", month: "short", day: "numeric" });
export const weekday = format({ weekday: "short", day: "numeric" });
const fullDay = format({ weekday: "short", month: "short", day: "numeric" });
const precise = format({ year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/** To the millisecond, with the year. */
export const whole = precise;

/** When something happened: the clock for today, else with its day. */
export function when(time, now) {
  return fullDay(time) === fullDay(now) ? clock(time) : `${day(time)}, ${minute(time)}`;
}

/** The name of a bucket. */
export function bucketName(start, granularity) {
  if (granularity === "day") return fullDay(start);
  const end = new Date(start).getTime() + (granularity === "hour" ? HOUR : MINUTE);
  return `${fullDay(start)}, ${minute(start)} – ${minute(end)}`;
}

/** Which buckets are named on the axis, at most `most` of them, and their names. */
export function ticks(starts, granularity, most) {
  const steps = { minute: [5, 10, 15, 30], hour: [1, 3, 6, 12, 24, 48], day: [1, 2, 7, 14] }[granularity];
  const fits = (step) => starts.length / step <= most;
  const step = steps.find(fits) ?? steps.at(-1);
  const named = starts.flatMap((start, index) => (isNamed(new Date(start), granularity, step) ? [index] : []));
  return named.map((index) => ({ index, name: tickName(starts[index], granularity, step) }));
}

function isNamed(date, granularity, step) {
  if (granularity === "minute") return date.getMinutes() % step === 0;
  if (granularity === "hour") return date.getHours() % Math.min(step, 24) === 0 && (step < 48 || date.getDate() % 2 === 0);
  if (step === 1) return true;
  return step === 2 ? date.getDate() % 2 === 1 : date.getDay() === 1 && (step === 7 || date.getDate() % 14 < 7);
}

function tickName(start, granularity, step) {
  if (granularity === "day") return day(start);
  return granularity === "hour" && step >= 24 ? weekday(start) : minute(start);
}

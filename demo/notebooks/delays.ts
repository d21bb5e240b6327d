// %% [markdown]
// # Arrival delays
//
// Which flights run late, and which are late *even for where they start from*? A flight from a busy airport that
// lands ten minutes behind is having an ordinary day; the same ten minutes from a quiet one are not.
//
// The data stand still: every US domestic flight of January to March 2001, frozen as `flights@2001q1`. What the
// transform below makes of them is what it makes of the live stream, because it is the same bundle.

// %%
import { chart, metric, snapshot, sql, transform } from "penstock";

// %%
const flights = snapshot("flights@2001q1");

// %%
const airports = snapshot("airports@2001");

// %% [markdown]
// ## What is usual
//
// The median delay of each airport's departures. A lookup like this is frozen into the release by its hash.

// %%
const typical = sql`
  select origin, median(delay) as typical, count(*) as flights
  from ${flights}
  group by origin
  order by origin
`;

// %% [markdown]
// ## The transform
//
// One record in, one record out, or `null` for a record that is left out: hops under 100 miles are mostly
// positioning flights.

// %%
const lateAfterMinutes = 15;
const shortestMiles = 100;

export const delays = transform(
  flights,
  { lookup: { typical: typical.by("origin"), airport: airports.by("iata") } },
  (flight, { typical, airport }) => {
    if (flight.distance < shortestMiles) return null;
    return {
      ...flight,
      state: airport(flight.origin)?.state ?? null,
      late: flight.delay > lateAfterMinutes,
      excess: flight.delay - (typical(flight.origin)?.typical ?? 0),
    };
  },
);

// %% [markdown]
// ## What came out

// %%
metric.mean("late share", delays, (row) => (row.late ? 1 : 0), { better: "lower" });
metric.mean("mean excess", delays, (row) => row.excess, { better: "lower" });

// %%
const byHour = sql`
  select
    hour(date)::integer as hour,
    count(*) as flights,
    avg(late::integer) as late_share,
    avg(excess) as mean_excess
  from ${delays}
  group by hour
  order by hour
`;

// %%
chart(
  {
    height: 220,
    mark: { type: "bar" },
    encoding: {
      x: { field: "hour", type: "ordinal", title: "hour of departure" },
      y: { field: "late_share", type: "quantitative", title: "share late", axis: { format: "%" } },
      tooltip: [{ field: "hour" }, { field: "flights" }, { field: "late_share", format: ".1%" }],
    },
  },
  byHour,
);

// %%
const worst = sql`
  select origin, state, count(*) as flights, avg(late::integer) as late_share, avg(excess) as mean_excess
  from ${delays}
  group by origin, state
  having count(*) >= 1000
  order by late_share desc, origin
  limit 20
`;

// %%
const hours = await byHour.rows();
const busy = hours.filter((row) => row.flights >= 1000);
const latest = busy.reduce((a, b) => (b.late_share > a.late_share ? b : a));
console.log(
  `The worst hour to leave is ${latest.hour}:00: ${(latest.late_share * 100).toFixed(1)} % run more than ${lateAfterMinutes} minutes late.`,
);

import type { RequestHandler } from "@sveltejs/kit";
import { handedOver } from "../../../server/handover.ts";

/** Every method of every `/api/…` address goes to the Hono app of the server these pages run in (web/api/app.ts). */
export const fallback: RequestHandler = ({ request, platform }) => {
  const api = handedOver(platform?.req);
  if (api) return api.fetch(request);
  const problem = {
    code: "no-api",
    message: "These pages run without Penstock's server, so there is nothing behind them.",
    hint: "Start them with `npm start`.",
  };
  return Response.json({ problem }, { status: 503 });
};

import pc from "picocolors";

/** Functions that wrap text in colours, or leave it alone. */
export type Style = ReturnType<typeof pc.createColors>;

const colored = pc.createColors(true);
const plain = pc.createColors(false);

/**
 * Whether a stream shows colours. picocolors asks stdout only, and takes `CI` for a terminal; here each stream
 * answers for itself, so that `ingot query > file.csv` colours its progress and not its data.
 */
export function showsColor(stream: object, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return "isTTY" in stream && stream.isTTY === true && env.TERM !== "dumb";
}

/** The style for a choice; without one, what stdout can show. */
export function styleFor(color: boolean = showsColor(process.stdout)): Style {
  return color ? colored : plain;
}

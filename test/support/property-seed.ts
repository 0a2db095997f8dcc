/**
 * Property tests try the same cases in every run, so that a change is judged by what it changes. To search for new
 * counterexamples: `INGOT_SEED=random npx vitest run FILE`, or a number to see one again.
 */
import fc from "fast-check";

const wanted = process.env.INGOT_SEED ?? "20261121";
if (wanted !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });

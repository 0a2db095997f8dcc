/** What a build would do with a model. */

/**
 * `create`: its table does not exist. `rebuild`: it is made anew. `increment`: it takes in what changed. `nothing`: no
 * input changed. `wait`: an input was not loaded.
 */
export type PlannedAction = "create" | "rebuild" | "increment" | "nothing" | "wait";

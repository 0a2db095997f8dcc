import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { askAt } from "../../jobs/init/questions.ts";

function terminal() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = "";
  output.on("data", (chunk) => {
    shown += chunk;
  });
  return { input, questions: askAt(input, output, { color: false }), shown: () => shown };
}
const number = (answer: string) => {
  if (!/^\d+$/.test(answer)) throw new Error(`${answer} is no number`);
  return Number(answer);
};

it("Enter takes the default, and what means nothing is asked again, though typed ahead", async () => {
  const { input, questions, shown } = terminal();
  input.write("\nmany\n 7 \n");
  expect(await questions.ask({ text: "First", fallback: "3", read: number })).toBe(3);
  expect(await questions.ask({ text: "Second", fallback: "3", read: number })).toBe(7);
  questions.close();
  expect(shown()).toContain("? First (3)");
  expect(shown()).toContain("many is no number");
});

it("the end of the input ends the questions, and nothing after it waits", async () => {
  const { input, questions } = terminal();
  const asked = questions.ask({ text: "Name", fallback: "x", read: String });
  input.end();
  await expect(asked).rejects.toMatchObject({ code: "INIT_CANCELLED" });
  await expect(questions.ask({ text: "Name", fallback: "x", read: String })).rejects.toMatchObject({
    code: "INIT_CANCELLED",
  });
});

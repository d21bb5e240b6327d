import { expect, test } from "vitest";
import { openMeasuring } from "./measuring.ts";

test("who never answers is asked once, and keeps nobody else from being asked again", async () => {
  const measuring = openMeasuring();
  const [frozen, living] = [{ asked: 0 }, { asked: 0 }];
  const heard: number[] = [];
  const round = async (): Promise<void> => {
    measuring.ask(
      frozen,
      () => {
        frozen.asked++;
        return new Promise<number>(() => undefined);
      },
      (rows) => heard.push(rows),
    );
    measuring.ask(
      living,
      () => Promise.resolve(++living.asked),
      (rows) => heard.push(rows),
    );
    await new Promise(setImmediate);
  };
  for (let second = 0; second < 3; second++) await round();
  expect({ frozen: frozen.asked, heard }).toEqual({ frozen: 1, heard: [1, 2, 3] });
});

test("who failed is asked again", async () => {
  const measuring = openMeasuring();
  const whom = {};
  const heard: string[] = [];
  const answers = [Promise.reject(new Error("away")), Promise.resolve("back")];
  for (const answer of answers) {
    measuring.ask(
      whom,
      () => answer,
      (value) => heard.push(value),
    );
    await new Promise(setImmediate);
  }
  expect(heard).toEqual(["back"]);
});

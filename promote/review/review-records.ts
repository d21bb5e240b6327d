import type { DatabaseSync } from "node:sqlite";
import type { DifferenceFilter } from "#snapshots/diff.ts";
import type { Remark, Review } from "./answer.ts";
import type { TransformName } from "./transform-name.ts";

/** A remark as it was made, with what tells the differences it is about from its comparison's others. */
export type KeptRemark = Omit<Remark, "same"> & { filter: DifferenceFilter };

/** What people said of comparisons. Nothing is changed; what is removed is marked so, with who did it. */
export type ReviewRecords = {
  addReview(of: TransformName, review: Omit<Review, "id">): Review;
  /** Newest first. */
  reviews(of: TransformName): Review[];
  addRemark(of: TransformName, remark: Omit<KeptRemark, "id">): KeptRemark;
  /** Newest first, without those removed. */
  remarks(of: TransformName): KeptRemark[];
  /** Whether it was there. */
  removeRemark(of: TransformName, id: number, removed: { at: string; by: string }): boolean;
};

/** The tables are made by the migrations in promote/state.ts. */
export function openReviewRecords(database: DatabaseSync): ReviewRecords {
  const one = {
    addReview: database.prepare(
      "INSERT INTO reviews (comparison, notebook, transform, at, by, note) VALUES (?, ?, ?, ?, ?, ?)",
    ),
    reviews: database.prepare(
      "SELECT id, comparison, at, by, note FROM reviews WHERE notebook = ? AND transform = ? ORDER BY id DESC",
    ),
    addRemark: database.prepare(
      "INSERT INTO remarks (notebook, transform, at, by, remark) VALUES (?, ?, ?, ?, ?)",
    ),
    remarks: database.prepare(
      `SELECT id, at, by, remark FROM remarks
       WHERE notebook = ? AND transform = ? AND removed_at IS NULL ORDER BY id DESC`,
    ),
    removeRemark: database.prepare(
      `UPDATE remarks SET removed_at = ?, removed_by = ?
       WHERE id = ? AND notebook = ? AND transform = ? AND removed_at IS NULL`,
    ),
  };
  return {
    addReview({ notebook, transform }, review) {
      const { comparison, at, by, note } = review;
      const added = one.addReview.run(comparison, notebook, transform, at, by, note);
      return { id: Number(added.lastInsertRowid), ...review };
    },
    // The columns are named as the type's fields.
    reviews: ({ notebook, transform }) =>
      one.reviews.all(notebook, transform).map((row) => ({ ...row }) as Review),
    addRemark({ notebook, transform }, remark) {
      const { at, by, ...said } = remark;
      const added = one.addRemark.run(notebook, transform, at, by, JSON.stringify(said));
      return { id: Number(added.lastInsertRowid), ...remark };
    },
    remarks: ({ notebook, transform }) =>
      one.remarks.all(notebook, transform).map(({ id, at, by, remark }) => {
        // Written above.
        const said = JSON.parse(String(remark)) as Omit<KeptRemark, "id" | "at" | "by">;
        return { id: Number(id), at: String(at), by: String(by), ...said };
      }),
    removeRemark({ notebook, transform }, id, { at, by }) {
      return one.removeRemark.run(at, by, id, notebook, transform).changes > 0;
    },
  };
}

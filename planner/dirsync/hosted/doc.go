// Package hosted says what the vendor's own directory sync will do in its next run: whom it adds, updates, disables and
// deletes, whom it leaves alone and why, or why the run fails.
//
// It is given one reading of the directory, one of the accounts, the settings of the sync as they will be, the registered
// domains and the exemptions, and what is known of earlier runs; it returns a Prediction. It is pure and deterministic: no
// I/O, no clock (Request.Now), and the order of its input changes nothing. It is written from the rules R1…R48 and the
// decision table of the vendor's reference, and shares no code with the simulator, which was written from the same text:
// where the two disagree, one of them is wrong. What no client of the vendor can read is an assumption with a name (Fact),
// never a guess: Predict plays a run for both sides of each and reports where they part. Imported by planner. For what Weir
// itself decides about accounts see the parent package.
package hosted

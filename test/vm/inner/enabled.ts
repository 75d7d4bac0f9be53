/** Whether `limits.ts` is part of `npm test`: true as soon as proc_box has --memory and what goes with it. */
export const limitsAreThere = true;

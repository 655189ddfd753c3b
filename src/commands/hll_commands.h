/* The functions behind hll_commands[] (hll_table.c): HyperLogLogs, which are strings (types/hll.h).
 */
#pragma once

struct call;

void hll_pfadd(struct call *c);
void hll_pfcount(struct call *c);
void hll_pfmerge(struct call *c);
void hll_pfdebug(struct call *c);
void hll_pfselftest(struct call *c);

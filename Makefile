# Quoin: a Redis-protocol datastore that does not lose acknowledged writes. `make help` tells the targets.

ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
OPT     ?= -O2
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Wswitch-enum -Werror
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -Isrc -Itests/lib -g $(OPT) $(WARN) -fno-omit-frame-pointer -pthread $(SANITIZE) $(CFLAGS)
MALLOC  ?= -ljemalloc
LIBS    := -lleveldb -lxxhash -lssl -lcrypto $(MALLOC) -lm -pthread

SRC     := $(filter-out src/node/main.c,$(wildcard src/*/*.c))
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libquoin.a
SERVER  := src/quoin-server
INSPECT := utils/quoin-inspect
INSPECT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard utils/inspect/*.c))

TESTLIB_SRC := $(wildcard tests/lib/*.c)
TESTLIB_OBJ := $(TESTLIB_SRC:%.c=$(BUILD)/%.o)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))
TRAPS   := $(patsubst tests/faults/%.c,$(BUILD)/faults/%,$(wildcard tests/faults/*_test.c))
# Programs that are told of each durable step (base/steps.h) and may plant bugs (base/mutants.h).
STEPS   := $(patsubst %,$(BUILD)/faults/%,crash_matrix_test wal_bound_test durable_trace)
STEPS_PARTS := $(patsubst %.c,$(BUILD)/steps/%.o,$(wildcard tests/faults/steps/*.c))
STEPS_OBJ := $(patsubst %.c,$(BUILD)/steps/%.o,$(shell grep -lE '"base/(steps|mutants)\.h"' $(SRC)))
SIM_RAFT := $(if $(findstring mutants,$(BUILD)),,$(BUILD)/mutants/sim/sim_raft)
SIM_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*/*.c))
SIM     := $(SIM_RAFT) $(patsubst tests/sim/%.c,$(BUILD)/sim/%,$(filter-out tests/sim/sim_raft.c,$(wildcard tests/sim/*.c)))
FUZZ    := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
PRELOAD := $(patsubst tests/preload/%.c,$(BUILD)/preload/%.so,$(wildcard tests/preload/*.c))
BENCH   := $(patsubst utils/benchlib/%.c,$(BUILD)/bench/%,$(wildcard utils/benchlib/*.c))
TOOLS   := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))

# Objects that only a pattern asks for are kept.
.SECONDARY:

.PHONY: all
all: $(SERVER) $(INSPECT) ## build src/quoin-server and utils/quoin-inspect

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/quoin-server: $(BUILD)/src/node/main.o $(LIB)
	$(CC) $(CFLAGS_ALL) $^ -o $@ $(LIBS)

# By rename, since a server that runs from the old file keeps it busy.
$(SERVER): $(BUILD)/quoin-server
	cp $< $@.new
	mv $@.new $@

$(BUILD)/quoin-inspect: $(INSPECT_OBJ) $(LIB)
	$(CC) $(CFLAGS_ALL) $^ -o $@ $(LIBS)

$(INSPECT): $(BUILD)/quoin-inspect
	cp $< $@.new
	mv $@.new $@

$(BUILD)/unit/%: tests/unit/%.c $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

# Programs that put themselves between LevelDB and the system: their own write(2) comes first.
$(BUILD)/faults/%: tests/faults/%.c $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -rdynamic -MMD -MP -MF $@.d $< $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS) -ldl

# What takes steps is compiled a second time and stands before the library.
$(BUILD)/steps/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -DDURABLE_STEPS -DNODE_MUTANTS -MMD -MP -c $< -o $@

$(STEPS): $(BUILD)/faults/%: tests/faults/%.c $(STEPS_PARTS) $(STEPS_OBJ) $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -DDURABLE_STEPS -DNODE_MUTANTS -MMD -MP -MF $@.d $< $(STEPS_PARTS) $(STEPS_OBJ) \
	    $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

# A simulator is one file with main; parts of it stand in a folder beside it.
$(BUILD)/sim/%: tests/sim/%.c $(SIM_PARTS) $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(SIM_PARTS) $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

# The core alone, with the hooks for planted bugs: a struct is laid out differently there.
$(SIM_RAFT): .FORCE
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/mutants CFLAGS="$(CFLAGS) -DRAFT_MUTANTS" \
	    SRC="$(wildcard src/base/*.c src/raft/*.c)" TESTLIB_SRC="$(wildcard tests/lib/raft_net*.c)" \
	    SIM_PARTS= $(BUILD)/mutants/sim/sim_raft
.PHONY: .FORCE

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/tests/fuzz/driver.o $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(BUILD)/tests/fuzz/driver.o $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

$(BUILD)/tools/%: tests/tools/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(LIB) -o $@ -lhiredis $(LIBS)

# Clients of utils/bench.
$(BUILD)/bench/%: utils/benchlib/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(LIB) -o $@ -lhiredis $(LIBS)

# Libraries that tests put in front of the C library of a server.
$(BUILD)/preload/%.so: tests/preload/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -shared -fPIC $< -o $@ -ldl

-include $(OBJ:.o=.d) $(INSPECT_OBJ:.o=.d) $(TESTLIB_OBJ:.o=.d) $(SIM_PARTS:.o=.d) $(STEPS_PARTS:.o=.d) $(STEPS_OBJ:.o=.d) $(BUILD)/src/node/main.d $(BUILD)/tests/fuzz/driver.d
-include $(addsuffix .d,$(UNIT) $(TRAPS) $(SIM) $(FUZZ) $(TOOLS) $(BENCH))

# --- Running ---------------------------------------------------------------------------------

CPUS    := $(shell nproc 2>/dev/null || echo 1)
BUILD_ALL := $(MAKE) --no-print-directory -j$(CPUS)

.PHONY: run
run: deps-build ## build and start a server on port 6379 with its data in ./data
	@$(BUILD_ALL) $(SERVER)
	@echo "quoin-server on 127.0.0.1:6379, data in ./data; connect with: redis-cli -p 6379 (Ctrl-C stops)"
	@exec $(SERVER) conf/quoin.conf

.PHONY: deps-build deps-test deps-bench
deps-build: ## install the packages a build needs (deps/packages.txt)
	@deps/install build
deps-test: ## install the packages the tests need
	@deps/install test
deps-bench: ## install the packages `make bench` needs; it does without those that are not to be had
	@deps/install bench || true

# --- Tests: one word per kind; each may be run alone ----------------------------------------

JOBS    ?= $(CPUS)
RUN     := tests/run -j $(JOBS)
SEEDS   ?= 1:300
export QUOIN_SERVER ?= $(SERVER)
export QUOIN_INSPECT ?= $(INSPECT)
export QUOIN_TOOLS ?= $(BUILD)/tools
export QUOIN_SANITIZED
export QUOIN_PRELOAD ?= $(BUILD)/preload

TIDY_RUN     := tests/run_test.py tests/tidy/tidy_test.py tests/tidy/tidy.py
SIM_RUN      := $(foreach program,$(SIM),"$(program) --seeds $(SEEDS)") \
                "$(SIM_RAFT) --mutants --seeds 1:20000"
PROTOCOL_RUN := $(sort $(wildcard tests/protocol/*.py))
# The crash matrix in two parts, each well within a program's time on a busy machine.
MATRIX_RUN   := "$(BUILD)/faults/crash_matrix_test one" "$(BUILD)/faults/crash_matrix_test three"
FAULTS_RUN   := $(filter-out %/crash_matrix_test,$(TRAPS)) $(MATRIX_RUN) $(sort $(wildcard tests/faults/*.py))
# The models of tla/ are checked by tla/check; models.txt says what each must find.
TLA_RUN      := $(if $(wildcard tla/models.txt),tla/check "tla/trace $(BUILD)/faults/durable_trace")

TEST_BUILT   := $(SERVER) $(INSPECT) $(UNIT) $(FUZZ) $(SIM) $(TRAPS) $(STEPS) $(TOOLS) $(PRELOAD)

.PHONY: test
test: deps-test ## everything that must hold before a commit; ends with "N passed, N failed"
	@$(BUILD_ALL) $(TEST_BUILT)
	@$(RUN) $(TIDY_RUN) $(UNIT) $(FUZZ) $(SIM_RUN) $(TLA_RUN) $(PROTOCOL_RUN) $(FAULTS_RUN)

.PHONY: tidy
tidy: ## the house style, as far as a tool can check it
	@$(RUN) $(TIDY_RUN)

.PHONY: unit
unit: $(UNIT) ## unit and property tests
	@$(RUN) $(UNIT)

.PHONY: sim
sim: $(SIM) ## the simulators over SEEDS=from:count
	@$(RUN) $(SIM_RUN)

# The whole node is built a second time with its planted bugs (base/mutants.h).
.PHONY: sim-mutants
sim-mutants: ## sim_node must find every planted bug
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/node-mutants CFLAGS="$(CFLAGS) -DNODE_MUTANTS" \
	    $(BUILD)/node-mutants/sim/sim_node
	@$(RUN) --timeout 1800 "$(BUILD)/node-mutants/sim/sim_node --mutants --seeds 1:600"

.PHONY: tla
tla: deps-test ## the models in tla/, and traces of the C against them
	@$(BUILD_ALL) $(BUILD)/faults/durable_trace
	@$(RUN) $(TLA_RUN)

.PHONY: protocol
protocol: $(SERVER) ## the protocol and every command against a running server
	@$(RUN) $(PROTOCOL_RUN)

.PHONY: faults
faults: $(SERVER) $(INSPECT) $(TRAPS) $(TOOLS) $(PRELOAD) ## kill -9, full disk, damaged files, data beyond memory
	@$(RUN) $(FAULTS_RUN)

.PHONY: diff
COMMANDS ?= 1000000
diff: $(SERVER) ## COMMANDS=n random commands compared with redis-server
	tests/protocol/differential.py --commands $(COMMANDS) --seed $${SEED:-$$(date +%s)}

.PHONY: soak
soak: $(SERVER) $(INSPECT) $(TRAPS) $(TOOLS) $(PRELOAD) ## the fault tests at full size, more seeds, a long comparison
	@QUOIN_SOAK=1 $(RUN) --timeout 7200 $(FAULTS_RUN) "tests/protocol/differential.py --commands $(COMMANDS)" \
	    $(foreach program,$(SIM),"$(program) --seeds 1:20000")

.PHONY: asan
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
asan: ## unit, fuzz, simulator and protocol tests with sanitizers
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE="$(ASAN)" MALLOC= OPT=-O1 \
	    QUOIN_SERVER=$(BUILD)/asan/quoin-server QUOIN_SANITIZED=1 sanitized

.PHONY: sanitized
sanitized: $(BUILD)/quoin-server $(UNIT) $(FUZZ) $(SIM)
	@$(RUN) $(UNIT) $(FUZZ) $(foreach program,$(SIM),"$(program) --seeds 1:30") $(PROTOCOL_RUN)

# libFuzzer needs clang; each target works on its own corpus, which grows in $(BUILD)/corpus.
.PHONY: fuzz
FUZZ_SECONDS ?= 60
fuzz: ## each fuzz target for FUZZ_SECONDS=n under libFuzzer
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/libfuzzer MALLOC= OPT=-O1 \
	    SANITIZE="$(ASAN) -fsanitize=fuzzer-no-link" fuzzed

FUZZED := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzzed/%,$(wildcard tests/fuzz/*_fuzz.c))
$(BUILD)/fuzzed/%: tests/fuzz/%.c $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $< $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

.PHONY: fuzzed
fuzzed: $(FUZZED)
	@failed=0; for target in $(FUZZED); do \
	    name=$$(basename $$target); corpus=$(BUILD)/corpus/$$name; mkdir -p $$corpus; \
	    echo "== $$name"; \
	    $$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=fuzz-failed-$$name- \
	        $$corpus $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) >$$corpus.log 2>&1 || failed=1; \
	    tail -n 8 $$corpus.log; \
	done; exit $$failed

.PHONY: bench
bench: deps-bench $(SERVER) $(BENCH) ## throughput, latency and memory, compared with redis-server and etcd
	@utils/bench

# --- The rest --------------------------------------------------------------------------------

.PHONY: format
format: ## lay the sources out with clang-format
	@clang-format -i $(wildcard src/*/*.[ch] tests/*/*.[ch] utils/*.[ch] utils/*/*.[ch])

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD) $(SERVER) $(INSPECT)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  make %-11s %s\n", $$1, $$2 }'

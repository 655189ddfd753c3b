# Quoin: a Redis-protocol datastore that does not lose acknowledged writes. `make help` tells the targets.

BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Wswitch-enum -Werror
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -Isrc -Itests/lib -g $(OPT) $(WARN) -fno-omit-frame-pointer -pthread $(SANITIZE) $(CFLAGS)
MALLOC  ?= -ljemalloc
LIBS    := -lleveldb -lxxhash $(MALLOC) -lm -pthread

SRC     := $(filter-out src/node/main.c,$(wildcard src/*/*.c))
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libquoin.a
SERVER  := src/quoin-server

TESTLIB_SRC := $(wildcard tests/lib/*.c)
TESTLIB_OBJ := $(TESTLIB_SRC:%.c=$(BUILD)/%.o)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))

.PHONY: all
all: $(SERVER)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/quoin-server: $(BUILD)/src/node/main.o $(LIB)
	$(CC) $(CFLAGS_ALL) $^ -o $@ $(LIBS)

$(SERVER): $(BUILD)/quoin-server
	cp $< $@

$(BUILD)/unit/%: tests/unit/%.c $(TESTLIB_OBJ) $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $< $(TESTLIB_OBJ) $(LIB) -o $@ -lcmocka $(LIBS)

.PHONY: unit
unit: $(UNIT)

-include $(OBJ:.o=.d) $(UNIT:=.d) $(BUILD)/src/node/main.d $(TESTLIB_OBJ:.o=.d)

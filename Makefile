# The whole build of Penstock: GNU make, pkg-config and the compilers, nothing behind them.
#
# Folders decide what is built, so a new file needs no line here:
#   base, storage, dataplane, control     one static archive each, without the main.cc files
#   control/daemon, control/cli           penstockd, penstock
#   perf/blast, perf/micro, perf/NAME     penstock-blast, the micro benchmarks, a load generator each
#   tests/unit/LIBRARY, tests/sim, tests/crash   one GoogleTest program each, of all *.cc in the folder
#   tests/fuzz/NAME_fuzz.cc               one libFuzzer program each
# BUILD picks how: release (default), asan, tsan, fuzz; everything made lands in build/$(BUILD).

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-builtin-rules --no-builtin-variables --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# Parallel by default; a sub-make shares its parent's job slots.
JOBS ?= $(shell nproc)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

BUILD ?= release
OUT   := build/$(BUILD)
OBJ   := $(OUT)/obj

# ---- Tools and flags -----------------------------------------------------------------------------

CLANG_VERSION ?= 19
CLANG_FORMAT  ?= clang-format-$(CLANG_VERSION)
CLANG_TIDY    ?= clang-tidy-$(CLANG_VERSION)
PYTHON        ?= python3

ifeq ($(BUILD),fuzz)
CXX := clang++-$(CLANG_VERSION)
else
CXX := g++
endif
AR := ar

# pkg-config is asked once, and only when something is compiled: `make deps` and `make help` must work
# on a machine that has neither it nor the libraries.
once = $(eval $(1) := $(2))$($(1))
pkg  = $(shell pkg-config $(1) || echo '$$(error pkg-config $(1) failed: run "make deps" first)')

PKG_base      := libisal fmt
PKG_storage   := $(PKG_base) liburing
PKG_dataplane := $(PKG_storage) libdpdk libhs
PKG_control   := $(PKG_dataplane) spdlog tomlplusplus nlohmann_json CLI11

# The libraries' headers are system headers, so that our warnings judge our code. The instruction set is
# what DPDK was built for and nothing newer: the appliance must run on machines without AVX2.
system_headers = $(patsubst -I%,-isystem%,$(filter-out -march=%,$(1)))
CFLAGS_base      = $(call once,CFLAGS_base,$(call system_headers,$(call pkg,--cflags $(PKG_base))))
CFLAGS_storage   = $(call once,CFLAGS_storage,$(call system_headers,$(call pkg,--cflags $(PKG_storage))))
CFLAGS_dataplane = $(call once,CFLAGS_dataplane,$(call system_headers,$(call pkg,--cflags $(PKG_dataplane))))
CFLAGS_control   = $(call once,CFLAGS_control,$(call system_headers,$(call pkg,--cflags $(PKG_control))))
MARCH            = $(call once,MARCH,$(filter -march=%,$(call pkg,--cflags libdpdk)))

LIBS_base      = $(call once,LIBS_base,$(call pkg,--libs $(PKG_base)))
LIBS_storage   = $(call once,LIBS_storage,$(call pkg,--libs $(PKG_storage)))
LIBS_dataplane = $(call once,LIBS_dataplane,$(call pkg,--libs $(PKG_dataplane)))
LIBS_control   = $(call once,LIBS_control,$(call pkg,--libs $(PKG_control)))

# -Wconversion without -Wsign-conversion: a value must not silently shrink on its way to a disk or a wire.
WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast -Wcast-qual \
        -Wformat=2 -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi -Wvla
ifneq ($(BUILD),fuzz)
# g++ 12 sees overlaps in std::string that are not there (GCC bug 105651).
WARN += -Wduplicated-cond -Wlogical-op -Wno-restrict
endif

# Instrumentation confuses the warnings that follow the flow of values; release has them on.
NO_FLOW_WARN := -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread \
                -Wno-nonnull -Wno-null-dereference -Wno-tsan

MODE_release := -O2 -g
MODE_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS \
                $(NO_FLOW_WARN)
MODE_tsan    := -O1 -g -fsanitize=thread -D_GLIBCXX_ASSERTIONS $(NO_FLOW_WARN)
MODE_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                -D_GLIBCXX_ASSERTIONS
LINK_asan    := -fsanitize=address,undefined
LINK_tsan    := -fsanitize=thread
LINK_fuzz    := -fsanitize=fuzzer,address,undefined
ifeq ($(origin MODE_$(BUILD)),undefined)
$(error BUILD=$(BUILD) is not one of release, asan, tsan, fuzz)
endif

# Frame pointers stay, so that perf can unwind a production node at little cost.
CXXFLAGS = -std=c++23 $(MARCH) $(MODE_$(BUILD)) $(WARN) -fno-omit-frame-pointer -pthread \
           -ffile-prefix-map=$(CURDIR)/= -I.
LDFLAGS  = $(MODE_$(BUILD)) $(LINK_$(BUILD)) -pthread -Wl,--as-needed

# jemalloc replaces malloc by being linked; nothing names its symbols, so the linker must be told to keep
# it. The sanitizers bring their own malloc.
ifeq ($(BUILD),release)
MALLOC := -Wl,--no-as-needed -ljemalloc -Wl,--as-needed
endif

# ---- What there is -------------------------------------------------------------------------------

FOLDERS := $(wildcard base storage dataplane control perf tests)
SOURCES := $(if $(FOLDERS),$(sort $(shell find $(FOLDERS) -name '*.cc')))
objects  = $(patsubst %.cc,$(OBJ)/%.o,$(1))
under    = $(filter $(addsuffix /%,$(1)),$(SOURCES))

LIBRARIES := base storage dataplane control
$(foreach l,$(LIBRARIES),$(eval SRC_$(l) := $(filter-out %/main.cc,$(call under,$(l)))))
SRC_tests := $(call under,tests/lib)

# A library and those below it, in link order.
WITH_base      := base
WITH_storage   := storage base
WITH_dataplane := dataplane storage base
WITH_control   := control dataplane storage base
archives = $(patsubst %,$(OUT)/lib%.a,$(1))

# How a source file is compiled follows from the library it belongs to or mirrors. What is not below the
# control plane in the house (perf, sim, fuzz, ...) may use all of it.
FLAGS_base      = $(CFLAGS_base) -fno-exceptions
FLAGS_storage   = $(CFLAGS_storage) -fno-exceptions
FLAGS_dataplane = $(CFLAGS_dataplane) -fno-exceptions
FLAGS_control   = $(CFLAGS_control)
FLAGS_perf      = $(CFLAGS_control)
FLAGS_tests     = $(CFLAGS_$(firstword $(filter $(LIBRARIES),$(word 3,$(subst /, ,$(1)))) control))
flags_of        = $(call FLAGS_$(firstword $(subst /, ,$(1))),$(1))

# ---- Programs ------------------------------------------------------------------------------------
# program: $(1) file under $(OUT), $(2) its sources, $(3) the topmost library it links, $(4) more libraries
PROGRAMS :=
TESTS    :=
define program
$(OUT)/$(1): $(call objects,$(2)) $(if $(filter tests/%,$(1)),$(if $(SRC_tests),$(OUT)/libtests.a)) \
             $(call archives,$(WITH_$(3))) $(OUT)/$(1).parts
	@mkdir -p $$(@D)
	@echo "  link    $$@"
	@$$(CXX) $$(LDFLAGS) $$(filter %.o %.a,$$^) -o $$@ $(4) $$(LIBS_$(3)) $$(MALLOC)
$(OUT)/$(1).parts: PARTS = $(2)
endef

# Adds $(1) to the list $(4), if there are sources for it.
define folder_program
ifneq ($(strip $(2)),)
$(4) += $(1)
$(call program,$(1),$(2),$(3),$(5))
endif
endef

ifneq ($(BUILD),fuzz)

# daemon and cli: main.cc alone, the rest of their folders is in libcontrol.
$(eval $(call folder_program,penstockd,$(filter control/daemon/main.cc,$(SOURCES)),control,PROGRAMS))
$(eval $(call folder_program,penstock,$(filter control/cli/main.cc,$(SOURCES)),control,PROGRAMS))
$(eval $(call folder_program,penstock-blast,$(call under,perf/blast),dataplane,PROGRAMS))
$(eval $(call folder_program,perf/micro,$(filter perf/micro/%_bench.cc,$(SOURCES)),control,PROGRAMS,-lbenchmark_main -lbenchmark))
PERF_NAMES := $(filter-out blast micro,$(patsubst perf/%/main.cc,%,$(filter perf/%/main.cc,$(SOURCES))))
$(foreach n,$(PERF_NAMES),$(eval $(call folder_program,perf/$(n),$(call under,perf/$(n)),control,PROGRAMS)))

# A test folder with a main.cc of its own is not given gtest's.
gtest = -lgmock -lgtest $(if $(filter %/main.cc,$(1)),,-lgtest_main)
test_program = $(call folder_program,$(1),$(2),$(3),TESTS,$(call gtest,$(2)))
$(foreach l,$(LIBRARIES),$(eval $(call test_program,tests/unit_$(l),$(call under,tests/unit/$(l)),$(l))))
$(eval $(call test_program,tests/sim,$(call under,tests/sim),control))
$(eval $(call test_program,tests/crash,$(call under,tests/crash),control))

else

# A fuzzer links the control plane only when it names it: most judge a format or a protocol, and their
# build should not wait for it.
FUZZERS := $(patsubst tests/fuzz/%_fuzz.cc,%,$(filter tests/fuzz/%_fuzz.cc,$(SOURCES)))
FUZZ_HELPERS := $(filter-out %_fuzz.cc,$(call under,tests/fuzz))
fuzz_top = $(if $(shell grep -l '"control/' $(1)),control,dataplane)
$(foreach n,$(FUZZERS),$(eval $(call folder_program,$(n),tests/fuzz/$(n)_fuzz.cc $(FUZZ_HELPERS),$(call fuzz_top,tests/fuzz/$(n)_fuzz.cc),PROGRAMS)))

endif

# ---- Rules ---------------------------------------------------------------------------------------

$(OBJ)/%.o: %.cc Makefile
	@mkdir -p $(@D)
	@echo "  compile $< [$(BUILD)]"
	@$(CXX) $(CXXFLAGS) $(call flags_of,$<) -MMD -MP -c $< -o $@

define archive
$(OUT)/lib$(1).a: $(call objects,$(SRC_$(1))) $(OUT)/lib$(1).a.parts
	@rm -f $$@
	@$$(AR) rcsD $$@ $$(filter %.o,$$^)
$(OUT)/lib$(1).a.parts: PARTS = $(SRC_$(1))
endef
$(foreach l,$(LIBRARIES) tests,$(eval $(call archive,$(l))))

# What something is made of, rewritten only when it changes: a deleted source file relinks as well.
$(OUT)/%.parts: FORCE
	@mkdir -p $(@D)
	@echo '$(PARTS)' | cmp -s - $@ || echo '$(PARTS)' >$@

-include $(patsubst %.cc,$(OBJ)/%.d,$(SOURCES))

.PHONY: FORCE all tests fuzzers deps help
FORCE:

all: $(addprefix $(OUT)/,$(PROGRAMS)) ## Build every program (the default)

tests: $(addprefix $(OUT)/,$(TESTS)) ## Build the unit, simulation and crash test programs

# ---- For people ----------------------------------------------------------------------------------

help: ## Show this list
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

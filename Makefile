# The whole build of Penstock: GNU make, pkg-config and the compilers, nothing behind them.
#
# Folders decide what is built, so a new file needs no line here:
#   base, storage, dataplane, control   one static archive each, of all *.cc but main.cc
#   control/daemon, control/cli         penstockd, penstock
#   perf/blast, perf/micro, perf/NAME   penstock-blast, the micro benchmarks, one program each
#   tests/unit/LIBRARY, sim, crash      one GoogleTest program each, of all *.cc in the folder
#   tests/fuzz/NAME_fuzz.cc             one libFuzzer program each
#   tests/lib                           linked into every test program
#   dataplane/client                    libpenstock.so besides, for other people's programs
# BUILD says how: release (default), asan, tsan. All that is made lands in build/$(BUILD). What asan
# compiles, by clang, serves the fuzzers too.

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
TIDY  := build/tidy

# ---- Tools and flags -----------------------------------------------------------------------------

CLANG_VERSION ?= 19
CLANG_FORMAT  ?= clang-format-$(CLANG_VERSION)
CLANG_TIDY    ?= clang-tidy-$(CLANG_VERSION)
PYTHON        ?= python3
CXX           := $(if $(filter asan,$(BUILD)),clang++-$(CLANG_VERSION),g++)
AR            := ar

# What each library needs of others; one above another needs what that one needs.
PKG_base      := libisal fmt
PKG_storage   := $(PKG_base) liburing
PKG_dataplane := $(PKG_storage) libdpdk libcrypto
PKG_control   := $(PKG_dataplane) spdlog tomlplusplus nlohmann_json CLI11
PKG_client    := $(PKG_base) libcrypto
LIBRARIES     := base storage dataplane control

# pkg-config is asked once for each, and only when something is compiled: `make deps`, `make help`
# have to work where neither it nor the libraries are. Their headers are system headers, so that our
# warnings judge our code only. The instruction set is what DPDK was built for and nothing newer:
# the appliance must run on machines without AVX2.
pkg  = $(shell pkg-config $(1) || echo '$$(error pkg-config $(1) failed: run "make deps" first)')
once = $(eval $(1) := $(2))$($(1))
define ask
CFLAGS_$(1) = $$(call once,CFLAGS_$(1),$$(patsubst -I%,-isystem%,$$(filter-out -march=%,$\
                $$(call pkg,--cflags $(PKG_$(1))))))
LIBS_$(1)   = $$(call once,LIBS_$(1),$$(call pkg,--libs $(PKG_$(1))))
endef
$(foreach l,$(LIBRARIES) client,$(eval $(call ask,$(l))))
MARCH = $(call once,MARCH,$(filter -march=%,$(call pkg,--cflags libdpdk)))

# -Wconversion without -Wsign-conversion: no value may shrink unseen on its way to drive or wire.
WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast \
        -Wcast-qual -Wformat=2 -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi -Wvla
# A designated initialiser names what is not zero, on purpose.
WARN += -Wno-missing-field-initializers
ifneq ($(BUILD),asan)
# g++ 12 sees overlaps in std::string that are not there (GCC bug 105651).
WARN += -Wduplicated-cond -Wlogical-op -Wzero-as-null-pointer-constant -Wno-restrict
else
# clang sees what libstdc++ 12 itself uses of its own deprecated parts.
WARN += -Wno-deprecated-declarations -Wreserved-identifier
endif
# Instrumentation confuses the warnings that follow the flow of values; the release build has them.
NO_FLOW_WARN := -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow \
                -Wno-stringop-overread -Wno-nonnull -Wno-null-dereference

CHECKED      := -O1 -g1 -D_GLIBCXX_ASSERTIONS -fno-sanitize-recover=all
MODE_release := -O2 -g
MODE_asan    := $(CHECKED) -fsanitize=fuzzer-no-link,address,undefined
# ThreadSanitizer understands DPDK's rings only in their C11 form: the other one orders by compiler
# barriers, which is right on x86 and invisible to it. It cannot model fences either (-Wtsan).
MODE_tsan    := $(CHECKED) -fsanitize=thread $(NO_FLOW_WARN) -Wno-tsan -DRTE_USE_C11_MEM_MODEL
ifeq ($(origin MODE_$(BUILD)),undefined)
$(error BUILD=$(BUILD) is not one of release, asan, tsan)
endif

# Half of all code is tests, which run for seconds: those of units are compiled for a short build.
UNIT_MODE_release := -O1 -g1
UNIT_MODE_asan    := -O0

# Frame pointers stay, so that perf can unwind a production node at little cost.
CXXFLAGS = -std=c++23 $(MARCH) $(MODE_$(BUILD)) $(WARN) -fno-omit-frame-pointer -pthread \
           -ffile-prefix-map=$(CURDIR)/= -I.
LDFLAGS  = $(MODE_$(BUILD)) -pthread -Wl,--as-needed

# jemalloc replaces malloc by being linked; nothing names its symbols, so the linker has to be told
# to keep it. The sanitizers bring their own malloc.
ifeq ($(BUILD),release)
MALLOC := -Wl,--no-as-needed -ljemalloc -Wl,--as-needed
endif

# ---- What there is -------------------------------------------------------------------------------

FOLDERS := $(wildcard $(LIBRARIES) perf tests)
SOURCES := $(if $(FOLDERS),$(sort $(shell find $(FOLDERS) -name '*.cc')))
HEADERS := $(if $(FOLDERS),$(sort $(shell find $(FOLDERS) -name '*.h')))
under    = $(filter $(addsuffix /%,$(1)),$(SOURCES))
objects  = $(patsubst %.cc,$(OBJ)/%.o,$(1))

$(foreach l,$(LIBRARIES),$(eval SRC_$(l) := $(filter-out %/main.cc,$(call under,$(l)))))
SRC_tests := $(call under,tests/lib)

# A library and those below it, in link order.
WITH_base      := base
WITH_storage   := storage base
WITH_dataplane := dataplane storage base
WITH_control   := control dataplane storage base

# How a source file is compiled follows from the library it belongs to or, in tests/unit, mirrors.
# Everything else (perf, sim, fuzz, ...) may use all of the house. Other people's programs outlive a
# producer that the system denies memory or a thread: what the client has begun is undone then.
FLAGS_base      = $(CFLAGS_base) -fno-exceptions
FLAGS_storage   = $(CFLAGS_storage) -fno-exceptions
FLAGS_dataplane = $(CFLAGS_dataplane) $(if $(filter client,$(word 2,$(1))),,-fno-exceptions)
FLAGS_control   = $(CFLAGS_control)
FLAGS_perf      = $(CFLAGS_control)
FLAGS_tests     = $(CFLAGS_$(firstword $(filter $(LIBRARIES),$(word 3,$(1))) control))
words_of        = $(subst /, ,$(1))
flags_of        = $(call FLAGS_$(firstword $(call words_of,$(1))),$(call words_of,$(1)))

# What the producer library is made of; the same objects go into our own programs. Nothing of it is
# seen from outside but what penstock.h declares.
SRC_client := $(call under,dataplane/client base storage/format) \
              $(filter-out dataplane/door/pdp/node/%,$(call under,dataplane/door/pdp))
$(call objects,$(SRC_client)): CXXFLAGS += -fPIC -fvisibility=hidden

$(call objects,$(call under,tests/unit)): CXXFLAGS += $(UNIT_MODE_$(BUILD))

# ---- What is made of it --------------------------------------------------------------------------

# program: adds to the list $(1), if it has sources, the program $(2) under $(OUT), of the sources
# $(3), with the library $(4) and those below it, and the linker options $(5).
define program
ifneq ($(strip $(3)),)
$(1) += $(2)
$(OUT)/$(2): $(call objects,$(3)) $(if $(filter TESTS,$(1)),$(OUT)/libtests.a) \
             $(patsubst %,$(OUT)/lib%.a,$(WITH_$(4))) $(OUT)/$(2).parts
	@mkdir -p $$(@D)
	@echo "  link    $$@"
	@$$(CXX) $$(LDFLAGS) $$(filter %.o %.a,$$^) -o $$@ $(5) $$(LIBS_$(4)) $$(MALLOC)
$(OUT)/$(2).parts: PARTS = $(3)
endif
endef
make_program = $(eval $(call program,$(1),$(2),$(3),$(4),$(5)))

main_of   = $(filter $(1)/main.cc,$(SOURCES))
BENCHES  := $(filter perf/micro/%_bench.cc,$(SOURCES))
PERF_ALL := $(patsubst perf/%/main.cc,%,$(filter perf/%/main.cc,$(SOURCES)))
$(call make_program,PROGRAMS,penstockd,$(call main_of,control/daemon),control)
$(call make_program,PROGRAMS,penstock,$(call main_of,control/cli),control)
$(call make_program,PROGRAMS,penstock-blast,$(call under,perf/blast),dataplane)
$(call make_program,PROGRAMS,perf/micro,$(BENCHES),control,-lbenchmark_main -lbenchmark)
$(foreach n,$(filter-out blast micro,$(PERF_ALL)),\
  $(call make_program,PROGRAMS,perf/$(n),$(call under,perf/$(n)),control))

ifeq ($(BUILD),release)
VERSION := $(shell sed -n 's/.*kVersion = "\(.*\)";/\1/p' base/version.h)
CLIENT  := libpenstock.so.0
PROGRAMS += $(CLIENT)
# It is never unloaded: a name may be looked up still when its last producer is gone.
$(OUT)/$(CLIENT): $(call objects,$(SRC_client)) dataplane/client/libpenstock.map \
                  $(OUT)/$(CLIENT).parts
	@echo "  link    $@"
	@$(CXX) $(LDFLAGS) -shared -Wl,-soname,$(CLIENT) -Wl,--no-undefined -Wl,-z,nodelete \
	  -Wl,--version-script=dataplane/client/libpenstock.map $(filter %.o,$^) -o $@ $(LIBS_client)
$(OUT)/$(CLIENT).parts: PARTS = $(SRC_client)
endif

# A test folder with a main.cc of its own is not given GoogleTest's.
gtest = $(if $(filter %/main.cc,$(1)),,-lgtest_main) -lgmock -lgtest
make_test = $(call make_program,TESTS,$(1),$(2),$(3),$(call gtest,$(2)))
unit_tests = $(call under,tests/unit/$(1))
ifeq ($(BUILD),tsan)
# ThreadSanitizer has something to say only where threads are started: those tests, and helpers.
THREADED  := $(shell grep -l '<thread>' $(call under,tests/unit))
unit_tests = $(filter-out %_test.cc,$(call under,tests/unit/$(1))) \
             $(filter tests/unit/$(1)/%_test.cc,$(THREADED))
endif
$(foreach l,$(LIBRARIES),$(call make_test,tests/unit_$(l),$(call unit_tests,$(l)),$(l)))
$(call make_test,tests/sim,$(call under,tests/sim),control)
$(call make_test,tests/crash,$(call under,tests/crash),control)

ifeq ($(BUILD),asan)
# A fuzzer links the control plane only when it names it: most judge a format or a protocol, and
# should not wait for the rest of the house to compile.
FUZZ_HELPERS := $(filter-out %_fuzz.cc,$(call under,tests/fuzz))
fuzz_library = $(if $(shell grep -l '"control/' $(1)),control,dataplane)
make_fuzzer = $(call make_program,FUZZERS,fuzz/$(1),$(2) $(FUZZ_HELPERS),$\
                $(call fuzz_library,$(2)),-fsanitize=fuzzer)
$(foreach s,$(filter tests/fuzz/%_fuzz.cc,$(SOURCES)),\
  $(call make_fuzzer,$(patsubst tests/fuzz/%_fuzz.cc,%,$(s)),$(s)))
endif

$(OBJ)/%.o: %.cc Makefile
	@mkdir -p $(@D)
	@echo "  compile $< [$(BUILD)]"
	@$(CXX) $(CXXFLAGS) $(call flags_of,$<) -MMD -MP -c $< -o $@

# By way of another name: an archive is there whole or not at all, also for a second make.
define archive
$(OUT)/lib$(1).a: $(call objects,$(SRC_$(1))) $(OUT)/lib$(1).a.parts
	@rm -f $$@.$$$$$$$$ && $$(AR) rcsD $$@.$$$$$$$$ $$(filter %.o,$$^) && mv -f $$@.$$$$$$$$ $$@
$(OUT)/lib$(1).a.parts: PARTS = $(SRC_$(1))
endef
$(foreach l,$(LIBRARIES) tests,$(eval $(call archive,$(l))))

# What something is made of, rewritten only when that changes: so a deleted source file relinks too.
$(OUT)/%.parts: FORCE
	@mkdir -p $(@D)
	@echo '$(PARTS)' | cmp -s - $@ || echo '$(PARTS)' >$@

-include $(patsubst %.cc,$(OBJ)/%.d,$(SOURCES))

# ---- Tidy: a stamp for each file, so that only what changed is checked again ---------------------

$(TIDY)/headers/%.ok: % Makefile
	@mkdir -p $(@D)
	@echo '#include "$<"' | $(CXX) $(CXXFLAGS) $(call flags_of,$<) -fsyntax-only \
	  -MMD -MP -MT $@ -MF $(@:.ok=.d) -x c++ -
	@touch $@

# clang-tidy writes no dependencies; g++ finds them in a fraction of the time. Warnings are for the
# compilers, so none of the -W options is passed on. $(1): further options.
define clang_tidy
	@mkdir -p $(@D)
	@$(CXX) $(CXXFLAGS) $(call flags_of,$<) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@$(CLANG_TIDY) --quiet $(1) $< -- $(filter-out -W%,$(CXXFLAGS) $(call flags_of,$<)) 2>&1 | \
	  { grep -v -E '^[0-9]+ (warning|error)|^Suppressed|^Use -header-filter' || true; }
	@touch $@
endef
TIDY_RULES := .clang-tidy $(wildcard tests/.clang-tidy) Makefile

$(TIDY)/clang/%.ok: % $(TIDY_RULES)
	$(call clang_tidy)

# The analyzer follows values through a function and those it calls: as long again as all of the
# rest. Left out are leaks, which the address sanitizer finds without guessing, and padding, which
# keeps what different threads write apart.
DEEP_CHECKS := -*,clang-analyzer-*,-clang-analyzer-cplusplus.NewDeleteLeaks,$\
               -clang-analyzer-optin.performance.Padding
$(TIDY)/deep/%.ok: % $(TIDY_RULES)
	$(call clang_tidy,--checks='$(DEEP_CHECKS)')

-include $(HEADERS:%=$(TIDY)/headers/%.d) $(SOURCES:%=$(TIDY)/clang/%.d) \
         $(SOURCES:%=$(TIDY)/deep/%.d)

.PHONY: tidy-headers tidy-headers-product tidy-clang tidy-clang-product
product = $(filter-out tests/% perf/micro/%,$(1))
# A header that its source file includes before all others was compiled alone there.
FIRST = $(shell grep -m1 -H '^#include' $(SOURCES) | \
                sed -n 's/^\(.*\)\.cc:#include "\1\.h"$$/\1.h/p')
ALONE = $(call once,ALONE,$(filter-out $(FIRST),$(HEADERS)))
tidy-headers: $(HEADERS:%=$(TIDY)/headers/%.ok)
tidy-headers-product: $(patsubst %,$(TIDY)/headers/%.ok,$(call product,$(ALONE)))
tidy-clang: $(SOURCES:%=$(TIDY)/clang/%.ok)
tidy-clang-product: $(patsubst %,$(TIDY)/clang/%.ok,$(call product,$(SOURCES)))

# ---- For people ----------------------------------------------------------------------------------

.PHONY: FORCE all tests fuzzers deps peers demo test sim crash fuzz soak tidy tidy-deep format bench
.PHONY: install uninstall clean help
FORCE:

all: $(addprefix $(OUT)/,$(PROGRAMS)) ## Build every program (the default); BUILD=asan, tsan

tests: $(addprefix $(OUT)/,$(TESTS)) ## Build the unit, simulation and crash test programs

fuzzers: $(addprefix $(OUT)/,$(FUZZERS)) ## Build the fuzzers; with BUILD=asan

deps: ## Install the Debian packages that are missing
	@nic-config/deps.sh

demo: ## Show the product at work, from packets to stored messages and back
	@nic-config/deps.sh build product
	@$(MAKE) all
	@$(PYTHON) tests/demo/demo.py

test: ## Run every test; ONLY_PARTS="unit sim" or SKIP_PARTS=... choose, V=1 shows all output
	@nic-config/deps.sh build product test
	@$(PYTHON) tests/run/run.py

sim: ## Run the simulation; SEED=N repeats one run
	@$(if $(SEED),PENSTOCK_SEED=$(SEED) )ONLY_PARTS=sim $(PYTHON) tests/run/run.py

crash: ## Run the crash tests
	@ONLY_PARTS=crash $(PYTHON) tests/run/run.py

FUZZ_SECONDS ?= 40
fuzz: ## Run every fuzzer for FUZZ_SECONDS (40); FUZZ=NAME for one
	@$(MAKE) BUILD=asan fuzzers
	@$(PYTHON) tests/run/fuzz.py --seconds $(FUZZ_SECONDS) $(FUZZ)

SOAK_SECONDS ?= 7200
soak: ## Repeat simulation, crash tests and fuzzers with new seeds for SOAK_SECONDS (7200)
	@$(MAKE) all tests
	@$(MAKE) BUILD=asan fuzzers
	@$(PYTHON) tests/run/soak.py --seconds $(SOAK_SECONDS)

tidy: ## Check the rules of the house; RULE=NAME for one
	@nic-config/deps.sh build product test
	@$(MAKE) BUILD=release all
	@$(PYTHON) tests/tidy/tidy.py $(RULE)

tidy-deep: ## Follow values through the product's code with clang-analyzer
	@nic-config/deps.sh build product test
	@$(MAKE) --keep-going $(patsubst %,$(TIDY)/deep/%.ok,$(call under,$(LIBRARIES)))

format: ## Format the C++ sources in place
	@$(CLANG_FORMAT) -i $(SOURCES) $(HEADERS)

bench: ## Measure what the product does on this machine
	@nic-config/deps.sh build product bench
	@$(MAKE) all peers
	@$(PYTHON) perf/run.py

peers: build/peers/stamp ## Unpack programs of other makers for the interop tests
build/peers/stamp: tests/run/peers.sh
	@$< $(@D)
	@touch $@

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
# SOURCE:PLACE pairs of what is installed, so that uninstall cannot forget one.
INSTALLED = $(OUT)/penstockd:$(PREFIX)/sbin/penstockd \
            $(foreach p,penstock penstock-blast,$(OUT)/$(p):$(PREFIX)/bin/$(p)) \
            $(OUT)/$(CLIENT):$(PREFIX)/lib/$(CLIENT) \
            $(foreach h,penstock.h penstock.hpp,dataplane/client/$(h):$(PREFIX)/include/$(h)) \
            $(OUT)/penstock.pc:$(PREFIX)/lib/pkgconfig/penstock.pc \
            $(foreach m,$(wildcard docs/man/*.[1-8]),$\
              $(m):$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
            $(foreach u,$(wildcard nic-config/*.service),$(u):$(UNITDIR)/$(notdir $(u))) \
            $(foreach e,$(wildcard docs/penstock.toml),$\
              $(e):$(SYSCONFDIR)/penstock/penstock.toml.example)

$(OUT)/penstock.pc: dataplane/client/penstock.pc.in base/version.h FORCE
	@sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $< >$@

install: all $(OUT)/penstock.pc ## Install to DESTDIR, PREFIX (/usr/local) and SYSCONFDIR (/etc)
	@for pair in $(INSTALLED); do \
	  mode=644; if [[ -x $${pair%%:*} ]]; then mode=755; fi; \
	  echo "  install $(DESTDIR)$${pair#*:}"; \
	  install -D -m $$mode "$${pair%%:*}" "$(DESTDIR)$${pair#*:}"; \
	done
	@ln -sf $(CLIENT) "$(DESTDIR)$(PREFIX)/lib/libpenstock.so"

uninstall: ## Remove what install put there
	@rm -fv $(foreach pair,$(INSTALLED),'$(DESTDIR)$(lastword $(subst :, ,$(pair)))') \
	  '$(DESTDIR)$(PREFIX)/lib/libpenstock.so'

clean: ## Remove everything that was built
	@rm -rf build

help: ## Show this list
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

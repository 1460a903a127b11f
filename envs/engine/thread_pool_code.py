"""What the threads of a pool run, in LLVM's language; see `thread_pool`.

A step: the caller sets `left`, `ended` and `worst`, then each member's `next`, then counts `begun` up. Members claim
games, play them, and report once they find no more: first their `ended` and `worst`, then, by taking the games off
`left`, that they have done so. Whoever brings `left` to 0 counts `finished` up, for which the caller waits.

A helper may still be looking for games of the last step when the next begins. That does no harm, since nothing depends on
which step it takes it for: a claim is good if `next` was below `end`, which can only be so after the caller has set
`next`, hence after all that a claim needs; and until the games claimed are reported, no step can finish or begin. So that
a place in the games of one step cannot pass for one in a later step with another loop, the upper halves of `next` and `end`
count the loops.

Sleep: a thread says that it is parked, then looks once more at what it waits for; who changes that looks at `parked`
afterwards. In the one order of sequentially consistent operations, at least one of them sees the other. `parked` changes
hands by an exchange, so that each release of a lock meets one acquire. The locks are Python's own, which are everywhere.

Who spins offers its core to others every microsecond or two: on a busy machine, a thread that is waited for may be there.
"""

# `at STRUCTURE.FIELD of POINTER` is the field's address, `read TYPE STRUCTURE.FIELD of POINTER` what it holds.
CODE = """
define i64 @play(ptr %plan, i64 %rousing, i64 %patience) { ; one step: what the kernel would answer for all games
  %kernel = read ptr Plan.kernel of %plan
  %table = read ptr Plan.table of %plan
  %games = read i64 Plan.num_games of %plan
  %finished = at Plan.finished of %plan
  %left = at Plan.left of %plan
  %ended = at Plan.ended of %plan
  %worst = at Plan.worst of %plan
  %busy = at Plan.busy of %plan
  %rousing_at = at Plan.rousing of %plan
  %patience_at = at Plan.patience of %plan
  %was_busy = atomicrmw xchg ptr %busy, i64 1 seq_cst
  %taken = icmp ne i64 %was_busy, 0
  br i1 %taken, label %alone, label %look
alone:                                      ; a second caller, or a fork in the middle of a step: disturb nobody
  %own_answer = call i64 %kernel(ptr %table, i64 0, i64 %games)
  ret i64 %own_answer
look:                                       ; for faults, before any game is touched
  %fault = call i64 %kernel(ptr %table, i64 0, i64 0)
  %faulty = icmp slt i64 %fault, 0
  br i1 %faulty, label %over, label %share
share:
  %before = load atomic i64, ptr %finished seq_cst, align 8
  store atomic i64 0, ptr %ended seq_cst, align 8
  store atomic i64 0, ptr %worst seq_cst, align 8
  store atomic i64 %games, ptr %left seq_cst, align 8
  store atomic i64 %rousing, ptr %rousing_at seq_cst, align 8
  store atomic i64 %patience, ptr %patience_at seq_cst, align 8
  call void @offer(ptr %plan)
  call void @begin(ptr %plan)
  call void @work(ptr %plan, i64 0)
  %me = call ptr @member(ptr %plan, i64 0)
  %spins = read i64 Plan.spins of %plan
  call void @wait(ptr %plan, ptr %finished, i64 %before, ptr %me, i64 %spins)
  %bad = load atomic i64, ptr %worst seq_cst, align 8
  %sum = load atomic i64, ptr %ended seq_cst, align 8
  %failed = icmp slt i64 %bad, 0
  %result = select i1 %failed, i64 %bad, i64 %sum
  br label %over
over:
  %answer = phi i64 [ %fault, %look ], [ %result, %share ]
  store atomic i64 0, ptr %busy seq_cst, align 8
  ret i64 %answer
}

define void @help(ptr %plan, i64 %number) { ; what a helper thread runs
start:
  %begun = at Plan.begun of %plan
  %quit = at Plan.quit of %plan
  %patience_at = at Plan.patience of %plan
  %me = call ptr @member(ptr %plan, i64 %number)
  br label %rest
rest:
  %seen = phi i64 [ 0, %start ], [ %now, %step ]
  %patience = load atomic i64, ptr %patience_at seq_cst, align 8
  call void @wait(ptr %plan, ptr %begun, i64 %seen, ptr %me, i64 %patience)
  %now = load atomic i64, ptr %begun seq_cst, align 8
  %quits = load atomic i64, ptr %quit seq_cst, align 8
  %stay = icmp eq i64 %quits, 0
  call void @rouse(ptr %plan, i64 %number)
  br i1 %stay, label %step, label %leave
step:
  call void @work(ptr %plan, i64 %number)
  br label %rest
leave:
  ret void
}

define void @offer(ptr %plan) {            ; lay out all games to be claimed
start:
  %count = read i64 Plan.num_members of %plan
  br label %each
each:
  %k = phi i64 [ 0, %start ], [ %k1, %each ]
  %member = call ptr @member(ptr %plan, i64 %k)
  %first = read i64 Member.first of %member
  %next = at Member.next of %member
  store atomic i64 %first, ptr %next seq_cst, align 8
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %count
  br i1 %more, label %each, label %done
done:
  ret void
}

define void @begin(ptr %plan) {            ; let the helpers look up
  %begun = at Plan.begun of %plan
  %old = atomicrmw add ptr %begun, i64 1 seq_cst
  call void @rouse(ptr %plan, i64 0)
  ret void
}

define void @rouse(ptr %plan, i64 %number) { ; a member wakes two others, who do the same
  %rousing_at = at Plan.rousing of %plan
  %quit_at = at Plan.quit of %plan
  %rousing = load atomic i64, ptr %rousing_at seq_cst, align 8
  %quit = load atomic i64, ptr %quit_at seq_cst, align 8
  %why = or i64 %rousing, %quit
  %quiet = icmp eq i64 %why, 0
  br i1 %quiet, label %done, label %both
both:
  %double = shl i64 %number, 1
  %left = add i64 %double, 1
  %right = add i64 %double, 2
  call void @wake(ptr %plan, i64 %left)
  call void @wake(ptr %plan, i64 %right)
  br label %done
done:
  ret void
}

define void @work(ptr %plan, i64 %number) { ; claim games and play them until none is left, and report
start:
  %chunk_at = at Plan.chunk of %plan
  %count = read i64 Plan.num_members of %plan
  br label %range
range:                                      ; one's own, then the next member's, and so on
  %k = phi i64 [ 0, %start ], [ %k1, %next_range ]
  %played0 = phi i64 [ 0, %start ], [ %played, %next_range ]
  %ended0 = phi i64 [ 0, %start ], [ %ended, %next_range ]
  %worst0 = phi i64 [ 0, %start ], [ %worst, %next_range ]
  %turn = add i64 %number, %k
  %whose = urem i64 %turn, %count
  %member = call ptr @member(ptr %plan, i64 %whose)
  %end_at = at Member.end of %member
  %next = at Member.next of %member
  br label %peek
peek:
  %played = phi i64 [ %played0, %range ], [ %played1, %game ]
  %ended = phi i64 [ %ended0, %range ], [ %ended1, %game ]
  %worst = phi i64 [ %worst0, %range ], [ %worst1, %game ]
  %end_now = load atomic i64, ptr %end_at seq_cst, align 8
  %next_now = load atomic i64, ptr %next seq_cst, align 8
  %some = call i1 @before(i64 %next_now, i64 %end_now)
  br i1 %some, label %claim, label %next_range
claim:                                      ; much at first, since a call costs as much as ten games; little in the end
  %chunk = load atomic i64, ptr %chunk_at seq_cst, align 8
  %remaining = sub i64 %end_now, %next_now
  %share = sdiv i64 %remaining, %count
  %size = call i64 @llvm.smax.i64(i64 %share, i64 %chunk)
  %first = atomicrmw add ptr %next, i64 %size seq_cst
  %end = load atomic i64, ptr %end_at seq_cst, align 8
  %mine = call i1 @before(i64 %first, i64 %end)
  br i1 %mine, label %game, label %next_range
game:                                       ; what to play is read after the claim, which keeps it from changing
  %kernel = read ptr Plan.kernel of %plan
  %table = read ptr Plan.table of %plan
  %full = add i64 %first, %size
  %last = call i64 @llvm.smin.i64(i64 %full, i64 %end)
  %first_game = and i64 %first, 4294967295
  %last_game = and i64 %last, 4294967295
  %code = call i64 %kernel(ptr %table, i64 %first_game, i64 %last_game)
  %gain = call i64 @llvm.smax.i64(i64 %code, i64 0)
  %ended1 = add i64 %ended, %gain
  %worst1 = call i64 @llvm.smin.i64(i64 %worst, i64 %code)
  %got = sub i64 %last, %first
  %played1 = add i64 %played, %got
  br label %peek
next_range:
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %count
  br i1 %more, label %range, label %report
report:
  %idle = icmp eq i64 %played, 0
  br i1 %idle, label %done, label %add
add:
  %ended_at = at Plan.ended of %plan
  %worst_at = at Plan.worst of %plan
  %left_at = at Plan.left of %plan
  %old_ended = atomicrmw add ptr %ended_at, i64 %ended seq_cst
  %old_worst = atomicrmw min ptr %worst_at, i64 %worst seq_cst
  %old_left = atomicrmw sub ptr %left_at, i64 %played seq_cst
  %all = icmp eq i64 %old_left, %played
  br i1 %all, label %finish, label %done
finish:
  %finished = at Plan.finished of %plan
  %old_finished = atomicrmw add ptr %finished, i64 1 seq_cst
  call void @wake(ptr %plan, i64 0)
  br label %done
done:
  ret void
}

define void @wait(ptr %plan, ptr %word, i64 %old, ptr %me, i64 %spins) { ; until the word is another one
  %acquire = read ptr Plan.acquire of %plan
  %yield = read ptr Plan.cede of %plan
  %parked = at Member.parked of %me
  %lock = read ptr Member.lock of %me
  br label %watch
watch:
  br label %spin
spin:
  %k = phi i64 [ 0, %watch ], [ %k1, %on ], [ %k1, %cede ]
  %value = load atomic i64, ptr %word seq_cst, align 8
  %same = icmp eq i64 %value, %old
  br i1 %same, label %pause, label %done
pause:
  PAUSE()
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %spins
  br i1 %more, label %on, label %park
on:
  %part = and i64 %k1, 63
  %often = icmp ne i64 %part, 0
  br i1 %often, label %spin, label %cede
cede:                                       ; the core to whoever else could run on it
  %ceded = call i32 %yield()
  br label %spin
park:
  store atomic i64 1, ptr %parked seq_cst, align 8
  %value_now = load atomic i64, ptr %word seq_cst, align 8
  %same_now = icmp eq i64 %value_now, %old
  br i1 %same_now, label %sleep, label %rise
rise:
  %own = atomicrmw xchg ptr %parked, i64 0 seq_cst
  %alone = icmp eq i64 %own, 1
  br i1 %alone, label %done, label %sleep   ; else somebody is about to release the lock
sleep:
  %acquired = call i32 %acquire(ptr %lock, i32 1)
  br label %watch
done:
  ret void
}

define void @wake(ptr %plan, i64 %number) { ; if there is such a member and it sleeps
  %count = read i64 Plan.num_members of %plan
  %exists = icmp slt i64 %number, %count
  br i1 %exists, label %look, label %done
look:
  %member = call ptr @member(ptr %plan, i64 %number)
  %parked = at Member.parked of %member
  %maybe = load atomic i64, ptr %parked seq_cst, align 8
  %sleeps = icmp eq i64 %maybe, 1
  br i1 %sleeps, label %take, label %done
take:
  %own = atomicrmw xchg ptr %parked, i64 0 seq_cst
  %mine = icmp eq i64 %own, 1
  br i1 %mine, label %free, label %done
free:
  %release = read ptr Plan.release of %plan
  %lock = read ptr Member.lock of %member
  call void %release(ptr %lock)
  br label %done
done:
  ret void
}

define internal i1 @before(i64 %place, i64 %end) { ; whether it is a place of that range, and of that loop
  %less = icmp slt i64 %place, %end
  %other = xor i64 %place, %end
  %same = icmp ult i64 %other, 4294967296
  %both = and i1 %less, %same
  ret i1 %both
}

define internal ptr @member(ptr %plan, i64 %number) {
  %members = read ptr Plan.members of %plan
  %offset = mul i64 %number, sizeof(Member)
  %member = getelementptr i8, ptr %members, i64 %offset
  ret ptr %member
}

declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
"""

// The throw built-in (abi/builtins.def): notes the registers of the guest function that called it, has the landing pad found
// (unwind_x86_64.cpp), and goes on there. What lies between is guest frames only; they are dropped.
	.text
	.globl	cusp_throw_exception
	.hidden	cusp_throw_exception
	.type	cusp_throw_exception, @function
	.p2align 4
// [[noreturn]] void cusp_throw_exception(VmContext*, Exception*)
cusp_throw_exception:
	.cfi_startproc
	movq	%rsp, %rax
	subq	$72, %rsp               // a GuestRegisters, then the exception; aligned again
	.cfi_adjust_cfa_offset 72
	movq	%rax, (%rsp)
	movq	%rbp, 8(%rsp)
	movq	%rbx, 16(%rsp)
	movq	%r12, 24(%rsp)
	movq	%r13, 32(%rsp)
	movq	%r14, 40(%rsp)
	movq	%r15, 48(%rsp)
	movq	%rsi, 64(%rsp)
	movq	%rsi, %rdi
	movq	%rsp, %rsi
	callq	cusp_find_landing_pad
	movq	%rax, %rcx
	movq	64(%rsp), %rax          // where LLVM's landing pads expect it
	movq	16(%rsp), %rbx
	movq	24(%rsp), %r12
	movq	32(%rsp), %r13
	movq	40(%rsp), %r14
	movq	48(%rsp), %r15
	movq	8(%rsp), %rbp
	movq	(%rsp), %rsp
	.cfi_endproc
	jmpq	*%rcx
	.size	cusp_throw_exception, .-cusp_throw_exception

	.section .note.GNU-stack,"",@progbits

// The door between host and guest code. cusp_enter_guest saves what the C convention lets a caller expect, notes the stack
// pointer in the activation, and calls an entry trampoline. A trap leaves through cusp_leave_guest, which takes the stack
// back to that point: every frame below it is dropped, and all of them are guest code (activation.h).
	.text
	.globl	cusp_enter_guest
	.hidden	cusp_enter_guest
	.type	cusp_enter_guest, @function
	.p2align 4
// uint32_t cusp_enter_guest(Activation*, const void* entry, void* vmctx, const void* code, ValRaw* values)
cusp_enter_guest:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, (%rdi)            // Activation::resume_sp
	movq	%rsi, %rax
	movq	%rdx, %rdi
	movq	%rcx, %rsi
	movq	%r8, %rdx
	callq	*%rax
	xorl	%eax, %eax
.Lleave:
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
	.cfi_endproc
	.size	cusp_enter_guest, .-cusp_enter_guest

	.globl	cusp_leave_guest
	.hidden	cusp_leave_guest
	.type	cusp_leave_guest, @function
	.p2align 4
// [[noreturn]] void cusp_leave_guest(Activation*): cusp_enter_guest returns 1.
cusp_leave_guest:
	movq	(%rdi), %rsp
	cld
	movl	$1, %eax
	jmp	.Lleave
	.size	cusp_leave_guest, .-cusp_leave_guest

	.section .note.GNU-stack,"",@progbits

;; a core module has two exports "a"
(component (core type (module (export "a" (func)) (export "a" (func)))))

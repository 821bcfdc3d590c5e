;; a memory of more than 65536 pages
(component (core type (module (export "a" (memory 65537)))))

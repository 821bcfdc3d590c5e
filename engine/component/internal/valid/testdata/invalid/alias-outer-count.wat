;; there are less than 2 components and types around
(component (component (alias outer 2 0 (type))))
